"""What a server stored, read from its database, SQLite or PostgreSQL. Instants are seconds since 1970."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

GUIDS: Final = {
    "sqlite": """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows),
        digits(x) AS MATERIALIZED (SELECT lower(hex(randomblob(16))) FROM n)
        SELECT substr(x, 1, 8) || '-' || substr(x, 9, 4) || '-4' || substr(x, 14, 3) || '-a' || substr(x, 18, 3) || '-'
            || substr(x, 21) AS id FROM digits
    """,
    "postgresql": "SELECT gen_random_uuid()::text AS id FROM generate_series(1, :rows)",
}
_FILL: Final = """
    INSERT INTO notification
        (key, account, kind, state, source, message_id, originator, payload, received_at, attempts, delete_attempts,
        handled_at, done_at)
    SELECT 'EX0012345/MessageReceived/' || id, 'EX0012345', 'MessageReceived', 'done', 'push', id,
        '4477009' || substr(id, 1, 5), '{{"id":"' || id || '",{rest}', :day_before, 1, 1, :day_before, :now
    FROM ({guids}) AS message
"""
_FILL_PLAIN: Final = """
    INSERT INTO message SELECT id, '4477009' || substr(id, 1, 5), '447786204254', 'vote for number 7 👍 good luck',
        'Unicode', '2026-03-02T08:00:00.123456+00:00', '2026-03-02T08:00:31.456789+00:00'
    FROM ({guids}) AS message
"""
REST: Final = (  # of a payload, so that a row is as large as those that are pushed
    '"account"\\:"EX0012345","originator"\\:"447700900123","recipient"\\:"447786204254","type"\\:"Text","body"\\:'
    '"vote for number 7 good luck and thanks","sent_at"\\:"2026-03-02T08\\:00\\:00.123456Z","received_at"\\:'
    '"2026-03-02T08\\:00\\:31.456789Z"}'
)
QUICKLY: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000")
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


def delivering_seconds(url: str) -> float:
    """Return how long it took from the end of the first delivery to that of the last."""
    return number(url, "SELECT max(ended_at) - min(ended_at) FROM attempt WHERE outcome = 'ok'") / 1e6


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
    """Put in notifications with random ids that were done just now, so that none is purged yet."""
    moment = time.time()
    _fill(url, _FILL, rows=rows_done, now=_stored(moment), day_before=_stored(moment - 86400))


def fill_plain(url: str, messages: int) -> None:
    """Put messages with random ids into the file of the plain server."""
    _fill(url, _FILL_PLAIN, rows=messages)


def _fill(url: str, query: str, **values: int) -> None:
    """Put rows in by one statement, and leave the database on disk and tidy."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = engine.dialect.name
    with engine.connect() as connection:
        for each in QUICKLY if name == "sqlite" else ():
            connection.exec_driver_sql(f"PRAGMA {each}")
        connection.execute(text(query.format(guids=GUIDS[name], rest=REST)), values)
        connection.exec_driver_sql("PRAGMA journal_mode = WAL" if name == "sqlite" else "VACUUM ANALYZE notification")


def _stored(instant: float) -> int:
    return round(instant * 1e6)
