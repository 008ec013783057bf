"""The record of erasures: who erased which number when, and how much there was. It is never purged.

The audit trail has a row of each too, as of all that is done by hand; that row goes after ``journal.audit_retention``.

The number itself is not kept. Its digest is salted and slow (scrypt): it tells whether a number that one knows was
erased, and to try out all the numbers there are would take years.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select, update

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.journal.erasure.erase import Erasure
from soap_handler.journal.schema import erasure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.journal.erasure.phone_number import Trace

_table = erasure.c


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """One run of an erasure."""

    digest: str
    account: str | None
    """In which account; ``None``: in all."""
    who: str
    started_at: datetime
    ended_at: datetime | None
    """``None`` where it is under way, or its process died: then it is not known how much was erased."""
    erased: Erasure

    def is_of(self, trace: Trace) -> bool:
        """Whether this number was erased. It takes some 50 ms."""
        return PasswordHash.parse(self.digest).verify(trace.name)


class Begun(NamedTuple):
    """An erasure that begins."""

    digest: str
    account: str | None
    who: str
    now: datetime


class Ended(NamedTuple):
    """An erasure that has ended."""

    number: int
    now: datetime
    erased: Erasure


def digest_of(trace: Trace) -> str:
    """Return a new digest of a number."""
    return str(PasswordHash.of(trace.name))


def begin(connection: Connection, begun: Sequence[Begun]) -> list[int]:
    """Write down that erasures begin, before anything is erased; return their numbers."""
    numbers = []
    for digest, account, who, now in begun:
        row = {"digest": digest, "account": account, "who": who, "started_at": now}
        (number,) = connection.execute(insert(erasure).values(row)).inserted_primary_key or (0,)
        numbers.append(int(number))
    return numbers


def end(connection: Connection, ended: Sequence[Ended]) -> list[None]:
    """Write down how much was erased."""
    for number, now, erased in ended:
        values = {"ended_at": now, **asdict(erased)}
        connection.execute(update(erasure).where(_table.id == number).values(values))
    return [None] * len(ended)


def records(connection: Connection) -> list[ErasureRecord]:
    """Return all erasures, latest first."""
    return [
        ErasureRecord(
            row.digest,
            row.account,
            row.who,
            row.started_at,
            row.ended_at,
            Erasure(row.notifications, row.waiting, row.mentions, row.attempts, row.reconciliations),
        )
        for row in connection.execute(select(erasure).order_by(_table.id.desc()))
    ]
