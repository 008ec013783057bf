"""What a server stored, read from its database, SQLite or PostgreSQL. Instants are seconds since 1970."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

_FILL: Final = """
    INSERT INTO notification
        (key, account, kind, state, source, payload, received_at, attempts, delete_attempts, done_at)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    SELECT 'EX0012345/MessageReceived/' || lower(hex(randomblob(16))), 'EX0012345', 'MessageReceived', 'done', 'push',
        '{}', :now, 1, 1, :now
    FROM n
"""
_WAITING: Final = """
    SELECT EXISTS (SELECT 1 FROM notification WHERE state = 'received')
        OR EXISTS (SELECT 1 FROM notification WHERE state = 'handled')
"""


def number(url: str, query: str, **values: int) -> int:
    """Return the one number that a query gives, 0 for none."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return int(connection.execute(text(query), values).scalar_one() or 0)


def rows(url: str, table: str) -> int:
    """Return how many rows a table has."""
    return number(url, f"SELECT count(*) FROM {table}")  # noqa: S608 - the names are ours


def received(url: str, since: float) -> int:
    """Return how many notifications came in since an instant."""
    return number(url, "SELECT count(*) FROM notification WHERE received_at >= :since", since=_stored(since))


def handled(url: str, since: float, until: float) -> int:
    """Return how many notifications were handled between two instants."""
    query = "SELECT count(*) FROM notification WHERE handled_at BETWEEN :since AND :until"
    return number(url, query, since=_stored(since), until=_stored(until))


def done(url: str, since: float) -> int:
    """Return how many notifications left the inbox since an instant."""
    return number(url, "SELECT count(*) FROM notification WHERE done_at >= :since", since=_stored(since))


def last_done(url: str) -> float:
    """Return when the last notification left the inbox."""
    return number(url, "SELECT max(done_at) FROM notification") / 1e6


def wait_until_done(url: str, seconds: float) -> None:
    """Wait until everything is done.

    Raises:
        TimeoutError: it is not, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while number(url, _WAITING):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done after {seconds:g} s")
        time.sleep(0.1)  # between two looks


def fill(url: str, rows_done: int) -> None:
    """Put in so many notifications that were done just now, so that none is purged yet. SQLite only."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_FILL), {"rows": rows_done, "now": _stored(time.time())})


def _stored(instant: float) -> int:
    return round(instant * 1e6)
