"""An example of effects exactly once: what the handler writes and "handled" commit together, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from soap_handler import Handlers, MessageReceived

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLE = "CREATE TABLE IF NOT EXISTS balance (originator TEXT PRIMARY KEY, amount INTEGER NOT NULL)"
_OPEN = text("INSERT INTO balance VALUES (:originator, 0) ON CONFLICT DO NOTHING")
_ADD = text("UPDATE balance SET amount = amount + :amount WHERE originator = :originator")

handlers = Handlers()


@handlers.message_received(transactional=True)
def book(message: MessageReceived, connection: Connection) -> None:
    """Add an amount, such as "42". Twice would be wrong; yet no key is needed, as a failed attempt adds nothing."""
    connection.execute(_OPEN, {"originator": message.originator})
    connection.execute(_ADD, {"originator": message.originator, "amount": int(message.body)})
