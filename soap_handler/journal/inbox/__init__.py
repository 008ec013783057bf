"""What the journal keeps for the inbox: the gates of refused logins, and reconciliations."""
