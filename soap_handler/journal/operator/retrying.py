"""Retry: what is dead goes round again with a fresh count of attempts, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from soap_handler.journal.execute import queue_now
from soap_handler.journal.operator.in_parts import found_in_parts
from soap_handler.journal.queries import selected
from soap_handler.journal.records import State
from soap_handler.journal.schema import NO_LEASE, in_state, notification

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from soap_handler.journal.operator.in_parts import Read
    from soap_handler.journal.records import Selection


def dead_in_parts(read: Read, selection: Selection) -> Iterator[Sequence[int]]:
    """Yield the numbers of the dead notifications of a selection, as many at once as one commit may take."""
    return found_in_parts(read, [in_state(State.DEAD), *selected(selection)])


def requeue_dead(connection: Connection, parts: Sequence[Sequence[int]]) -> list[int]:
    """Send those of some rows that are dead round again with a fresh count of attempts; return how many of each."""
    return [
        connection.execute(
            update(notification)
            .where(in_state(State.DEAD), notification.c.seq.in_(seqs))
            .values(state=State.RECEIVED.value, due_at=queue_now(connection), leased_at=NO_LEASE, attempts=0)
        ).rowcount
        for seqs in parts
    ]
