"""Names of accounts: rows of a former reference of an account are rewritten to the present one, their keys included.

An account may be renamed, swap its reference with an alias, or change letter case. What is waiting or done under the
former name must stay known. So each service notes the references that it uses, and at its start and at a reload looks
for rows of other names that its accounts bear. A push costs nothing for it.
"""

from __future__ import annotations

import json
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sqlalchemy import bindparam, delete, func, insert, select, update

from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.journal.records import State, Step, notification_of
from soap_handler.journal.schema import account_name, attempt, inbox_gate, notification, reconciliation
from soap_handler.notifications import Kind, key_under
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from soap_handler.journal.journal import Journal

KNOWN: Final = "not called: known under another name of the account"
"""How the history calls it where a message that waits came under another name too."""
ROWS_PER_STEP: Final = 500
"""Rows that are rewritten in one transaction."""
_LATE_ROWS: Final = 10_000  # numbers below the newest: on PostgreSQL a lower number may be committed later
_STEP_LIMIT_SECONDS: Final = 60.0  # for one step
_TRIES: Final = 3  # on PostgreSQL a push may store the same message meanwhile

_table = notification.c
_names = account_name.c


class Named(Protocol):
    """An account, as far as its names go."""

    @property
    def reference(self) -> str:
        """What the journal calls it."""

    @property
    def aliases(self) -> Sequence[str]:
        """Its other names."""


class _Noted(NamedTuple):
    """The answer to the references that were noted."""

    searched_to: dict[str, int]
    """All references that the journal knows, each with the row up to which it was searched."""
    last: int
    """The newest row."""


class _Step(NamedTuple):
    """A request to rewrite the next rows."""

    references: Mapping[str, str]
    """The present reference of each former one."""
    after: int
    now: datetime


class _Searched(NamedTuple):
    """A note that no row of these former references is left up to a number."""

    references: Mapping[str, str]
    last: int


def adopt(journal: Journal, accounts: Iterable[Named]) -> int:
    """Rewrite the rows of former references of these accounts; return how many there were.

    Any number of processes may do so at once. Where a message came under both names, its rows keep their keys, and the
    one that still waits is not handled.

    Raises:
        JournalUnavailableError: the journal cannot be written. What is left is found the next time.
    """
    by_name = {name_key(name): each.reference for each in accounts for name in (each.reference, *each.aliases)}
    noted: _Noted = _do(journal, _note, frozenset(by_name.values()))
    former = {
        name: by_name[name_key(name)]
        for name in noted.searched_to
        if name_key(name) in by_name and by_name[name_key(name)] != name
    }
    if not former:
        return 0
    count = 0
    after: int | None = min(noted.searched_to[name] for name in former)
    while after is not None:
        rows, after = _do(journal, _rewrite, _Step(former, after, journal.now()))
        count += rows
    _do(journal, _end, _Searched(former, max(0, noted.last - _LATE_ROWS)))
    return count


def _do(journal: Journal, verb: Callable[..., Any], argument: object) -> Any:  # noqa: ANN401 - the answer of the verb
    for _ in range(_TRIES - 1):
        try:
            return _done(journal.committer.submit(verb, argument))
        except JournalRefusedError:
            continue
    return _done(journal.committer.submit(verb, argument))


def _done(commit: Future[Any]) -> Any:  # noqa: ANN401 - the answer of the verb
    """Wait for a commit, longer than a push would."""
    try:
        return commit.result(_STEP_LIMIT_SECONDS)
    except FutureTimeoutError as error:
        commit.cancel()
        raise JournalUnavailableError(f"the journal did not commit within {_STEP_LIMIT_SECONDS:g} s") from error


def _note(connection: Connection, requests: Sequence[frozenset[str]]) -> list[_Noted]:
    """Note the references in use. Where they are noted already, nothing is written."""
    for references in requests:
        found = _searched_to(connection)
        missing = sorted(references - found.keys())
        if missing:
            connection.execute(insert(account_name), [{"name": name, "searched_to": 0} for name in missing])
        again = sorted(name for name in references if found.get(name))  # from now on it has new rows
        if again:
            connection.execute(update(account_name).where(_names.name.in_(again)).values(searched_to=0))
    last = connection.scalar(select(func.max(_table.seq))) or 0
    return [_Noted(_searched_to(connection), last)] * len(requests)


def _searched_to(connection: Connection) -> dict[str, int]:
    return {row.name: row.searched_to for row in connection.execute(select(account_name))}


def _rewrite(connection: Connection, steps: Sequence[_Step]) -> list[tuple[int, int | None]]:
    """Rewrite some rows; return how many, and the last of them."""
    return [_rewrite_next(connection, step) for step in steps]


def _rewrite_next(connection: Connection, step: _Step) -> tuple[int, int | None]:
    columns = (_table.seq, _table.key, _table.account, _table.kind, _table.state, _table.owner, _table.payload)
    rows: Sequence[Any] = connection.execute(
        select(*columns, _table.erased_at)
        .where(_table.seq > step.after, _table.account.in_(step.references))
        .order_by(_table.seq)
        .limit(ROWS_PER_STEP)
        .with_for_update()
    ).all()
    if not rows:
        return 0, None
    keys = {row.seq: _key(row, step.references[row.account]) for row in rows}
    known = connection.execute(select(_table.key, _table.seq).where(_table.key.in_(set(keys.values()))))
    owners = {row.key: row.seq for row in known}
    values = []
    for row in rows:
        reference, key = step.references[row.account], keys[row.seq]
        is_free = owners.setdefault(key, row.seq) == row.seq
        if not is_free and row.state == State.RECEIVED.value and row.owner is None:
            _end_waiting(connection, row.seq, step.now)
        payload = _payload(row, reference)
        values.append(
            {"_seq": row.seq, "_account": reference, "_key": key if is_free else row.key, "_payload": payload}
        )
    connection.execute(_REWRITE, values)
    return len(rows), rows[-1].seq


_REWRITE: Final = (
    update(notification)
    .where(_table.seq == bindparam("_seq"))
    .values(account=bindparam("_account"), key=bindparam("_key"), payload=bindparam("_payload"))
)


def _key(row: Row[Any], reference: str) -> str:
    """Return the key under the present reference. A digest of the content holds the account's name, so it is redone."""
    if row.erased_at is None:
        told = notification_of(Kind(row.kind), row.payload)
        if told.key == row.key:
            return replace(told, account=reference).key
    return key_under(reference, row.key)


def _payload(row: Row[Any], reference: str) -> str:
    return json.dumps({**json.loads(row.payload), "account": reference}, separators=(",", ":"))


def _end_waiting(connection: Connection, seq: int, now: datetime) -> None:
    """End a row that waits: its message is another row's, which is handled and leaves the inbox."""
    done = {"state": State.DONE.value, "due_at": None, "done_at": now, "parked_at": None}
    connection.execute(update(notification).where(_table.seq == seq).values(**done))
    line = {"seq": seq, "step": Step.HANDLE.value, "started_at": now, "ended_at": now, "outcome": KNOWN, "owner": ""}
    connection.execute(insert(attempt), line)


def _end(connection: Connection, requests: Sequence[_Searched]) -> list[None]:
    """Note how far was searched, and move what else bears a former reference."""
    for references, last in requests:
        searched = _names.name.in_(references)
        connection.execute(update(account_name).where(searched).values(searched_to=last))
        for name, reference in references.items():
            runs = update(reconciliation).where(reconciliation.c.account == name)
            connection.execute(runs.values(account=reference))
        # A refused login counts for a name: under the new one it is tried once more.
        connection.execute(delete(inbox_gate).where(inbox_gate.c.account.in_(references)))
    return [None] * len(requests)
