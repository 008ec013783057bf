"""What the journal keeps for the inbox."""
