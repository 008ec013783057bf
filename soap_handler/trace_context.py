"""The W3C trace context that goes out with a delivery; spans are the tracing room's, which this does not import."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = "traceparent"
"""The name of the header, in HTTP and in AMQP."""

_current: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def current() -> str | None:
    """Return the ``traceparent`` of the attempt that this thread makes; ``None`` where traces are off."""
    return _current.get()


@contextmanager
def carried(traceparent: str) -> Iterator[None]:
    """Have :func:`current` return this meanwhile."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
