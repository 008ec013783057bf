"""Access to the console: who is calling, what they may do, and what is refused before any view runs."""
