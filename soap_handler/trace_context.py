"""The W3C trace context that goes out with a delivery; spans are the tracing room's, which this does not import."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = "traceparent"
"""The name of the header, in HTTP and in AMQP."""
VARIABLE: Final = "TRACEPARENT"
"""The name of the environment variable, as OpenTelemetry has it for programs that are started."""

_current: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def current() -> str | None:
    """Return the ``traceparent`` of the attempt that this thread makes; ``None`` where traces are off."""
    return _current.get()


def made_up(identity: str) -> str:
    """Return a context where traces are off: one trace for what has this identity, and a span for each attempt."""
    trace = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return f"00-{trace}-{time.time_ns() & 0xFFFFFFFFFFFFFFFF or 1:016x}-01"


@contextmanager
def carried(traceparent: str) -> Iterator[None]:
    """Have :func:`current` return this meanwhile."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
