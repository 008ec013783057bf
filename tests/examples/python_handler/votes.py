"""An example of handlers in Python: each message is a vote, counted once."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from soap_handler import GiveUp, Handlers, MessageReceived

handlers = Handlers()


@handlers.message_received
def count_vote(message: MessageReceived) -> None:
    """Count a vote. The key is the same however often this is called for a message, so each counts once."""
    choice = message.body.strip().upper()
    if not choice:
        raise GiveUp("an empty message is no vote")
    with closing(sqlite3.connect(os.environ["VOTES_DB"])) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS vote (key TEXT PRIMARY KEY, choice TEXT NOT NULL)")
        database.execute("INSERT OR IGNORE INTO vote VALUES (?, ?)", (message.key, choice))


def result() -> dict[str, int]:
    """Return how many votes each choice has."""
    with closing(sqlite3.connect(os.environ["VOTES_DB"])) as database:
        return dict(database.execute("SELECT choice, count(*) FROM vote GROUP BY choice"))
