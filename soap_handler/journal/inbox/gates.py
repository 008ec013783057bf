"""The gates of the inboxes: after a refused login, no process and no host calls until the gate opens again.

One row for each account whose login was refused, or is being tried for the first time by one process while the others
wait. An account without a row is open. Who calls, and what counts as a refusal, is decided in ``inbox/login_gate``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select, update

from soap_handler.journal.execute import queue_now
from soap_handler.journal.schema import inbox_gate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

_LOCK_CLASS: Final = 0x534F4147  # an advisory lock: any number of our own

_gates = inbox_gate.c


@dataclass(frozen=True, slots=True)
class InboxGate:
    """A gate that is not open."""

    account: str
    refusals: int
    """How often in a row EMS refused the login; 0 while a first call finds out whether it does."""
    retry_at: datetime
    owner: str | None
    """Who makes the call that finds out."""
    login: str | None
    """The hash of the login that was refused."""
    reason: str | None
    refused_at: datetime | None = None
    """When EMS refused it first, by the same clock as ``retry_at``; ``None`` where that is not known."""


@dataclass(frozen=True, slots=True)
class Entering:
    """A request to be the one who calls an inbox whose gate is not known to be open."""

    account: str
    owner: str
    now: datetime
    until: datetime
    """How long the others wait for the end of the call, at most."""
    longest_pause: timedelta
    """A gate that opens later than that is of a clock that was wrong, and is taken to be due."""
    unlike: str | None = None
    """The hash of a login that was refused, and is not the present one."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The answer: whether to call."""

    seconds: float
    """For how many seconds not to; 0 means to call now."""
    refusals: int = 0
    corrected: bool = False
    """Whether the refused login was another one, so that the next call is made with the present one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused call."""

    account: str
    refusals: int
    retry_at: datetime
    login: str
    reason: str


def gates(connection: Connection, account: str | None = None) -> list[InboxGate]:
    """Return the gates that are not open, of all accounts or of one."""
    query = select(inbox_gate) if account is None else select(inbox_gate).where(_gates.account == account)
    return [InboxGate(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name


def enter(connection: Connection, requests: Sequence[Entering]) -> list[Entered]:
    """Let one caller through, and have the others wait."""
    for account in sorted({request.account for request in requests}):  # in one order for all processes
        _lock(connection, account)
    return [_enter(connection, request) for request in requests]


def _enter(connection: Connection, request: Entering) -> Entered:
    found = gates(connection, request.account)
    if not found:
        row = {"account": request.account, "refusals": 0, "retry_at": request.until, "owner": request.owner}
        connection.execute(insert(inbox_gate), row)
        return Entered(0.0)
    [gate] = found
    if gate.refusals and gate.login == request.unlike:
        _take(connection, request, refusals=0, login=None, reason=None, refused_at=None)
        return Entered(0.0, corrected=True)
    pause = gate.retry_at - request.now
    is_ours = gate.owner == request.owner and not gate.refusals
    if pause.total_seconds() > 0 and pause <= request.longest_pause and not is_ours:
        return Entered(pause.total_seconds(), gate.refusals)
    _take(connection, request)
    return Entered(0.0, gate.refusals)


def _take(connection: Connection, request: Entering, **values: object) -> None:
    connection.execute(
        update(inbox_gate)
        .where(_gates.account == request.account)
        .values(owner=request.owner, retry_at=request.until, **values)
    )


def refuse(connection: Connection, refusals: Sequence[Refusal]) -> list[None]:
    """Close gates after a refusal."""
    for refusal in sorted(refusals, key=lambda refusal: refusal.account):
        _lock(connection, refusal.account)
        was_refused = (_gates.account == refusal.account) & (_gates.refusals > 0)
        refused_at = connection.scalar(select(_gates.refused_at).where(was_refused)) or queue_now(connection)
        connection.execute(delete(inbox_gate).where(_gates.account == refusal.account))
        row = {name: getattr(refusal, name) for name in Refusal.__slots__} | {"refused_at": refused_at}
        connection.execute(insert(inbox_gate), row)
    return [None] * len(refusals)


def prolong(connection: Connection, requests: Sequence[tuple[str, str, datetime]]) -> list[None]:
    """Keep the gate of an account closed until an instant, after a call of this owner that found out nothing."""
    for account, owner, until in requests:
        own = (_gates.account == account) & (_gates.owner == owner) & (_gates.refusals > 0)
        connection.execute(update(inbox_gate).where(own).values(retry_at=until))
    return [None] * len(requests)


def leave(connection: Connection, requests: Sequence[tuple[str, str]]) -> list[None]:
    """Let the next caller try the login for the first time; this owner found out nothing."""
    for account, owner in requests:
        own = (_gates.account == account) & (_gates.owner == owner) & (_gates.refusals == 0)
        connection.execute(delete(inbox_gate).where(own))
    return [None] * len(requests)


def open_gates(connection: Connection, accounts: Sequence[str | None]) -> list[None]:
    """Open the gate of each account, or of all where it is none."""
    for account in accounts:
        query = delete(inbox_gate)
        connection.execute(query if account is None else query.where(_gates.account == account))
    return [None] * len(accounts)


def accept(connection: Connection, accounts: Sequence[str]) -> list[None]:
    """Open gates: EMS accepted the login."""
    connection.execute(delete(inbox_gate).where(_gates.account.in_(accounts)))
    return [None] * len(accounts)


def _lock(connection: Connection, account: str) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, zlib.crc32(account.encode()) >> 1)))
