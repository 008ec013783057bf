"""The filter of the messages: the fields of its form, and the selection that they describe. It knows no SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from soap_handler import times
from soap_handler.journal import Selection, State
from soap_handler.journal.conditions import is_number
from soap_handler.notifications import Kind
from soap_handler.settings import account_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from soap_handler.settings import AccountSettings

FIELDS: Final = ("number", "id", "state", "kind", "account", "error", "since", "until")
"""The names of the fields, in the order of the form: those of the query, and of the actions on all of a filter."""
_TEXT_LIMIT: Final = 500  # characters


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
    texts = {name: text for name in FIELDS if (text := fields.get(name, "").strip()[:_TEXT_LIMIT])}
    readers: dict[str, Callable[[str], dict[str, Any]]] = {
        "number": _number,
        "state": lambda text: {"state": State(text)},
        "kind": lambda text: {"kind": Kind(text)},
        "account": lambda text: {"account": found.names if (found := account_of(text, accounts)) else (text,)},
        "error": lambda text: {"error": text},
        "since": lambda text: {"since": times.read(text, now)[0]},
        "until": lambda text: {"until": times.read(text, now)[1]},
    }
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in texts.items():
        try:
            values |= readers[name](text) if name in readers else {}
        except ValueError:
            problems[name] = _EXPECTED[name]
    return Filter(texts, Selection(**values), texts.get("id"), problems)


_A_TIME: Final = "a time such as 2h (ago), 10:02, 2026-03-02 or 2026-03-02 10:02"
_EXPECTED: Final = {
    "number": "a phone number: digits, with or without +, spaces and hyphens",
    "state": f"one of {', '.join(State)}",
    "kind": f"one of {', '.join(Kind)}",
    "since": _A_TIME,
    "until": _A_TIME,
}


def _number(text: str) -> dict[str, Any]:
    if is_number(text):
        return {"number": text}
    if any(character.isalpha() for character in text):  # an originator may be a name
        return {"originator": text}
    raise ValueError
