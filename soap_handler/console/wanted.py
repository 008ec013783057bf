"""What a form asks for: the notifications that a person chose, or a filter, as a selection of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from soap_handler.journal import Selection, State, questions
from soap_handler.notifications import Kind
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.datastructures import MultiDict

    from soap_handler.journal import Journal
    from soap_handler.settings import AccountSettings

E = TypeVar("E", bound=StrEnum)

FILTERS: Final = ("account", "state", "kind", "number", "id", "error", "since", "until")
"""The fields of a filter."""
MOST_CHOSEN: Final = 1_000
"""Notifications that can be chosen one by one, or by the beginning of an id."""


class UnreadableError(ValueError):
    """A field has a value that means nothing; the text says which."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    selection: Selection
    fields: tuple[tuple[str, str], ...]
    """The fields that say so, to be sent again."""


def wanted(form: MultiDict[str, str], accounts: Sequence[AccountSettings], journal: Journal) -> Wanted:
    """Read what a form asks for.

    Raises:
        UnreadableError: a value cannot be read; or there is none, as where no box was ticked: that is not everything.
    """
    given = {name: form.get(name, "").strip() for name in FILTERS}
    given = {name: value for name, value in given.items() if value}
    chosen = form.getlist("seq")
    if not given and not chosen:
        raise UnreadableError("Nothing is chosen. Tick some, or give a filter, such as the state.")
    selection = Selection(
        state=_read(State, "state", given),
        kind=_read(Kind, "kind", given),
        account=_names_of(given["account"], accounts) if "account" in given else None,
        number=given.get("number"),
        error=given.get("error"),
        since=_moment("since", given),
        until=_moment("until", given),
        seqs=_chosen(chosen, given.get("id"), journal),
    )
    return Wanted(selection, (*given.items(), *(("seq", each) for each in chosen)))


def _read(values: type[E], name: str, given: dict[str, str]) -> E | None:
    try:
        return values(given[name]) if name in given else None
    except ValueError:
        raise UnreadableError(f"{name} is none of {', '.join(values)}.") from None


def _names_of(account: str, accounts: Sequence[AccountSettings]) -> tuple[str, ...]:
    """Return all names of the account that is called so; of an unknown one, the name itself."""
    for each in accounts:
        names = (each.reference, *each.aliases)
        if name_key(account) in {name_key(name) for name in names}:
            return names
    return (account,)


def _moment(name: str, given: dict[str, str]) -> datetime | None:
    """Return the time in a field; one without a zone is of the zone of this machine, as pages show it."""
    if name not in given:
        return None
    try:
        return datetime.fromisoformat(given[name]).astimezone()
    except (ValueError, OverflowError, OSError):
        raise UnreadableError(f"{name} is no time, such as 2026-03-02T08:00 or 2026-03-02T08:00:00Z.") from None


def _chosen(chosen: Sequence[str], begins: str | None, journal: Journal) -> tuple[int, ...] | None:
    """Return the numbers of the rows that were chosen, or whose key or message id begins so; ``None`` for all."""
    if len(chosen) > MOST_CHOSEN:
        raise UnreadableError(f"At most {MOST_CHOSEN:,} can be chosen at once; use a filter.")
    if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in chosen):  # 64 bits
        raise UnreadableError("seq is no number.")
    seqs = tuple(int(each) for each in chosen) if chosen else None
    if begins is None:
        return seqs
    found = journal.read(lambda connection: questions.seqs_like(connection, begins, MOST_CHOSEN + 1))
    if len(found) > MOST_CHOSEN:
        raise UnreadableError("id is the beginning of too many; give more of it.")
    return tuple(found) if seqs is None else tuple(set(seqs).intersection(found))
