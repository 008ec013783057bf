"""Accelerations: optional layers behind the seams of the plain way. Only ``app.py`` imports this room."""
