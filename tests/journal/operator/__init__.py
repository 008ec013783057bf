"""What a person orders, and the trail of it."""
