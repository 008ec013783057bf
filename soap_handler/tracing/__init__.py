"""Traces: one for each notification, from its push to its delete, by OpenTelemetry; only ``app`` imports this room."""
