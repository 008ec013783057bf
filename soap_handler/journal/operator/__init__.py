"""What a person orders: retry, release, replay, giving up, and the trail of who ordered what."""
