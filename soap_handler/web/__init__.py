"""The WSGI application: which address leads where. What an address does lives in the faces."""
