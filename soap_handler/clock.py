"""The wall clock of the whole service: one function, which a test may replace by another."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Final

now: Final = partial(datetime.now, UTC)
"""Returns the present instant, aware and in UTC. It may step; for durations use ``time.monotonic``."""
