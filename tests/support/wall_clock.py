"""A wall clock that a test moves while the monotonic clock goes on, as a person or NTP does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from soap_handler import clock

if TYPE_CHECKING:
    import pytest


class WallClock:
    """Moves the wall clock of the service for one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._off = timedelta()
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + self._off)

    def step(self, **duration: float) -> None:
        """Move it by so much, as in ``step(hours=-1)``."""
        self._off += timedelta(**duration)
