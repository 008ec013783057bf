"""What people ask of the journal."""
