"""Ready-made handlers, for those who have no code of their own to plug in."""
