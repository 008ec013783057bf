"""The wall clock of the whole service: one function, which a test may replace by another."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, aware and in UTC. It may step; for durations use ``time.monotonic``."""
    return datetime.now(UTC)
