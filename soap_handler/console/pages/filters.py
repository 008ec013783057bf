"""The filter of the messages: the fields of its form, and the selection that they describe. It knows no SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from soap_handler.journal import Selection, State
from soap_handler.journal.conditions import is_number
from soap_handler.notifications import Kind
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from soap_handler.settings import AccountSettings

FIELDS: Final = ("number", "id", "state", "kind", "account", "error", "since", "until")
"""The names of the fields, in the order of the form: those of the query, and of the actions on all of a filter."""
_LONGEST: Final = 500
_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CLOCK: Final = re.compile(r"(\d\d?):(\d\d)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TO_THE_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filter:
    """What was filled in, and what it means."""

    texts: Mapping[str, str]
    """The fields that are not empty, as they were filled in."""
    selection: Selection
    begins: str | None
    """The field ``id``: a key, a message id, or how one begins."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """A sentence for each field that cannot be read; nothing is looked for then."""

    def for_actions(self) -> dict[str, str]:
        """Return the fields for an action on all of the filter: a time that is told from now stays the same later."""
        bounds = {"since": self.selection.since, "until": self.selection.until}
        return {**self.texts, **{name: moment.isoformat() for name, moment in bounds.items() if moment is not None}}


def read(fields: Mapping[str, str], accounts: Sequence[AccountSettings], now: datetime) -> Filter:
    """Read the fields of a form; ``now`` is the time from which ``2h`` counts."""
    texts = {name: text for name in FIELDS if (text := fields.get(name, "").strip()[:_LONGEST])}
    readers: dict[str, Callable[[str], dict[str, Any]]] = {
        "number": _number,
        "state": lambda text: {"state": State(text)},
        "kind": lambda text: {"kind": Kind(text)},
        "account": lambda text: {"account": names_of(text, accounts)},
        "error": lambda text: {"error": text},
        "since": lambda text: {"since": _times(text, now)[0]},
        "until": lambda text: {"until": _times(text, now)[1]},
    }
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in texts.items():
        try:
            values |= readers[name](text) if name in readers else {}
        except (ValueError, OverflowError):
            problems[name] = _EXPECTED[name]
    return Filter(texts, Selection(**values), texts.get("id"), problems)


_EXPECTED: Final = {
    "number": "a phone number: digits, with or without +, spaces and hyphens",
    "state": f"one of {', '.join(State)}",
    "kind": f"one of {', '.join(Kind)}",
    "since": "a time such as 2h (ago), 10:02, 2026-03-02 or 2026-03-02 10:02",
    "until": "a time such as 2h (ago), 10:02, 2026-03-02 or 2026-03-02 10:02",
}


def names_of(text: str, accounts: Sequence[AccountSettings]) -> tuple[str, ...]:
    """Return all names of the account that is called so; a name that only the journal may have is taken as it is."""
    for account in accounts:
        names = (account.reference, *account.aliases)
        if name_key(text) in {name_key(name) for name in names}:
            return names
    return (text,)


def _number(text: str) -> dict[str, Any]:
    if is_number(text):
        return {"number": text}
    if any(character.isalpha() for character in text):  # an originator may be a name
        return {"originator": text}
    raise ValueError


def _times(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a time: a whole day for a date, a whole minute for one to the minute."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return moment, moment
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        moment = _last_at(int(clock[1]), int(clock[2]), now)
        return moment, moment + timedelta(minutes=1)
    moment = datetime.fromisoformat(text).astimezone(UTC)  # without a zone, it is in that of this machine
    if _DATE.fullmatch(text):
        return moment, (datetime.fromisoformat(text) + timedelta(days=1)).astimezone(UTC)
    return moment, moment + (timedelta(minutes=1) if _TO_THE_MINUTE.fullmatch(text) else timedelta(microseconds=1))


def _last_at(hour: int, minute: int, now: datetime) -> datetime:
    """Return when a clock of this machine's zone showed a time last."""
    there = now.astimezone().replace(tzinfo=None)
    moment = there.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (moment if moment <= there else moment - timedelta(days=1)).astimezone(UTC)
