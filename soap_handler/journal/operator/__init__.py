"""What a person orders: replay, giving up, and the trail of who ordered what."""
