"""What a form asks for: the notifications that a person chose, or a filter, as a selection of the journal.

The filter is that of the messages page, read in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler.console.pages import filters
from soap_handler.journal.questions.browsing import Search, browse
from soap_handler.settings import all_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.datastructures import MultiDict

    from soap_handler.console.pages.filters import Filter
    from soap_handler.journal import Journal, Selection
    from soap_handler.settings import AccountSettings

MOST_CHOSEN: Final = 1_000
"""Notifications that can be chosen one by one, or by the beginning of an id."""
_LOOK_SECONDS: Final = 5.0


class UnreadableError(ValueError):
    """A field has a value that means nothing; the text says which."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    selection: Selection
    shown: dict[str, str]
    """The filter, as it was filled in."""
    fields: tuple[tuple[str, str], ...]
    """The fields that ask for the same later: a time such as "2h" (ago) is the instant that it meant."""


def order_of(form: MultiDict[str, str], accounts: Sequence[AccountSettings], journal: Journal) -> Order:
    """Read what a form asks for.

    Raises:
        UnreadableError: a value cannot be read; or there is none, as where no box was ticked: that is not everything.
    """
    sought = filters.read(form, accounts, journal.now())
    if sought.problems:
        raise UnreadableError(" ".join(f"{name}: expected {text}." for name, text in sought.problems.items()))
    chosen = form.getlist("seq")
    if not sought.texts and not chosen:
        raise UnreadableError("Nothing is chosen. Tick some, or give a filter, such as the state.")
    seqs = _chosen(chosen)
    if sought.begins:
        seqs = _of_id(sought, accounts, journal, seqs)
    fields = (*sought.for_actions().items(), *(("seq", each) for each in chosen))
    return Order(replace(sought.selection, seqs=seqs), dict(sought.texts), fields)


def _chosen(chosen: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers of the rows that were chosen; ``None`` where none was."""
    if len(chosen) > MOST_CHOSEN:
        raise UnreadableError(f"At most {MOST_CHOSEN:,} can be chosen at once; use a filter.")
    if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in chosen):  # 64 bits
        raise UnreadableError("seq is no number.")
    return tuple(int(each) for each in chosen) or None


def _of_id(
    sought: Filter, accounts: Sequence[AccountSettings], journal: Journal, chosen: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Return the numbers of the rows whose key or message id begins as the filter says."""
    asked = Search(sought.selection, sought.begins, all_names(accounts))
    page = journal.read(
        lambda connection: browse(connection, asked, timedelta(), most=MOST_CHOSEN, seconds=_LOOK_SECONDS)
    )
    if page.older is not None:
        raise UnreadableError("id is the beginning of too many; give more of it.")
    found = {each.seq for each in page.records}
    return tuple(found if chosen is None else found.intersection(chosen))
