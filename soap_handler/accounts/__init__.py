"""Accounts: which account a caller names, its credentials, password hashes, and the login throttle."""
