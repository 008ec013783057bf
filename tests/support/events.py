"""The events that were emitted while a test looked, as dictionaries."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def captured_events() -> Iterator[list[dict[str, Any]]]:
    """Collect events: each is its fields, its name under ``event`` and its level under ``log_level``."""
    events: list[dict[str, Any]] = []

    def collect(event: telemetry.Event, fields: Mapping[str, Any]) -> None:
        events.append({**fields, "event": event.name, "log_level": event.level})

    unsubscribe = telemetry.subscribe(collect)
    try:
        yield events
    finally:
        unsubscribe()
