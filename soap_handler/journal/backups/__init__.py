"""Copies of the journal: made while the service runs, and put back."""
