"""Silence: a wait for PostgreSQL that has a limit of ours. Imported only where psycopg is the driver.

The limits of the server end what is slow. They do not help where the server itself stands still: a session that was
stopped, a frozen virtual machine, a proxy that swallows. TCP sees a healthy connection then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg import Connection, OperationalError
from psycopg.rows import TupleRow

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
"""Silence that a new connection may keep, and one that is taken from the pool and asked whether it lives."""


class _SilentError(Exception):
    """The server said nothing for too long."""


class Session(Connection[TupleRow]):
    """A connection of psycopg that is closed where the server keeps silent for longer than :attr:`silence_limit`."""

    silence_limit: float = CONNECT_SECONDS
    """Seconds of silence, counted anew whenever something comes."""
    usual_silence_limit: float = CONNECT_SECONDS
    """What :attr:`silence_limit` becomes again when the connection is back in the pool."""

    def __del__(self, *_: object) -> None:
        """Close a session that a thread left behind which waited for a server that stands still."""
        if hasattr(self, "pgconn") and not self.closed:  # without it, it never connected
            self.close()

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - psycopg's signature, which grows
        """Wait as psycopg does, but not through a long silence.

        Raises:
            psycopg.OperationalError: the server kept silent; the connection is closed.
        """
        seconds = self.silence_limit
        try:
            return super().wait(_listening(gen, seconds), *args, **options)
        except _SilentError:
            self.close()
            telemetry.emit("journal_session_silent", seconds=seconds)
            raise OperationalError(f"the server gave no answer within {seconds:g} s") from None


def _listening(waiting: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """Pass on what psycopg waits for; it is woken with a false value ten times a second while nothing comes."""
    heard = time.monotonic()
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard >= seconds:
                waiting.close()
                raise _SilentError
            wanted = waiting.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
