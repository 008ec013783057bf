"""The console: the operators' application, on an address of its own. Pushes never come here."""
