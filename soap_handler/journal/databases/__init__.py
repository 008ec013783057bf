"""The two databases: how connections are made, begun, watched and proved; what makes a commit durable."""
