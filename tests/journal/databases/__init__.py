"""The two databases under the journal: files, sessions, stalls and outages."""
