"""Erasure: removing a phone number from the journal and from its files."""
