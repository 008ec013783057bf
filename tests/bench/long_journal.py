"""A journal of many rows as some days of service leave it: random ids, two attempts each, a backlog, and dead ones."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from soap_handler.journal import Journal
from tests.bench.books import GUIDS, QUICKLY, REST

ACCOUNT: Final = "EX0012345"
DAYS: Final = 7
WAITING: Final = 500  # of the newest rows; as many again have been handled and wait for their delete
DEAD_EVERY: Final = 500
SOUGHT: Final = "447700900123"  # the originator of one row in 20,000

# In the order of their numbers, so that the unique key grows at random places as it does in service.
_NOTIFICATIONS: Final = """
    INSERT INTO notification
        (key, account, kind, state, source, message_id, originator, payload, received_at, due_at, leased_at, attempts,
        delete_attempts, handled_at, done_at)
    SELECT :account || '/MessageReceived/' || id, :account, 'MessageReceived',
        CASE WHEN i > :rows - :waiting THEN 'received' WHEN i > :rows - 2 * :waiting THEN 'handled'
            WHEN i % :dead_every = 0 THEN 'dead' ELSE 'done' END,
        'push', id, CASE WHEN i % 20000 = 777 THEN :sought ELSE '4477009' || substr(id, 1, 5) END,
        '{{"id":"' || id || '",{rest}', :now - (:rows - i) * :apart,
        CASE WHEN i > :rows - 2 * :waiting THEN :now - (:rows - i) * :apart END,
        CASE WHEN i <= :rows - :waiting THEN -1 END,
        CASE WHEN i > :rows - :waiting THEN 0 ELSE 1 END,
        CASE WHEN i > :rows - 2 * :waiting OR i % :dead_every = 0 THEN 0 ELSE 1 END,
        CASE WHEN i <= :rows - :waiting AND i % :dead_every <> 0 THEN :now - (:rows - i) * :apart + 5000 END,
        CASE WHEN i <= :rows - 2 * :waiting AND i % :dead_every <> 0 THEN :now - (:rows - i) * :apart + 90000 END
    FROM (SELECT id, row_number() OVER () AS i FROM ({guids}) AS guid) AS message
"""
_ATTEMPTS: Final = """
    INSERT INTO attempt (seq, step, started_at, ended_at, outcome, error, owner, times)
    SELECT seq, step, at, at + 4000, outcome, error, 'host:4711:ab12cd34:' || seq, 1 FROM (
        SELECT seq, 'handle' AS step, received_at + 1000 AS at, CASE WHEN state = 'dead' THEN 'failed' ELSE 'ok' END
            AS outcome, CASE WHEN state = 'dead' THEN 'ValueError: no order ' || ((seq / :dead_every) % 7) END AS error
        FROM notification WHERE state <> 'received'
        UNION ALL SELECT seq, 'delete', received_at + 80000, 'ok', NULL FROM notification WHERE state = 'done'
    ) AS tried ORDER BY at
"""


def make(url: str, rows: int, *, vacuum: bool = True) -> None:
    """Make a journal of so many rows at a URL; on PostgreSQL it is analysed, and vacuumed if wanted."""
    Journal(url).close()
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = engine.dialect.name
    now = round(time.time() * 1e6)
    values = {
        "account": ACCOUNT, "rows": rows, "waiting": WAITING, "dead_every": DEAD_EVERY, "sought": SOUGHT, "now": now,
        "apart": DAYS * 86_400_000_000 // rows,
    }  # fmt: skip
    with engine.connect() as connection:
        for each in QUICKLY if name == "sqlite" else ():
            connection.exec_driver_sql(f"PRAGMA {each}")
        statement = _NOTIFICATIONS.format(guids=GUIDS[name], rest=REST)
        connection.execute(text(statement), values)
        connection.execute(text(_ATTEMPTS), {"dead_every": DEAD_EVERY})
        if name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        else:
            for table in ("notification", "attempt"):
                connection.exec_driver_sql(f"{'VACUUM ANALYZE' if vacuum else 'ANALYZE'} {table}")


def time_of_sought(url: str) -> datetime:
    """Return when a message of the sought number was stored, some time in the middle."""
    engine = create_engine(url, poolclass=NullPool)
    query = "SELECT received_at FROM notification WHERE originator = :sought ORDER BY seq"
    with engine.connect() as connection:
        found = connection.execute(text(query), {"sought": SOUGHT}).scalars().all()
    return datetime.fromtimestamp(found[len(found) // 2] / 1e6, UTC)
