"""The HTTP server: waitress, its connections, their limits, the drain, and the supervisor of several processes."""
