"""The public WSGI application: which path leads to which face, and who is calling. It knows no SOAP."""
