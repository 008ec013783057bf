"""The use case at the front door: authenticate, read the values, key. It knows no wire format."""
