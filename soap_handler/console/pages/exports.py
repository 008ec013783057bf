"""Exports: notifications as CSV and as JSON lines, page by page."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from soap_handler.notifications import instant, stored_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from soap_handler.journal import Record
    from soap_handler.journal.questions.browsing import Page

COLUMNS: Final = (
    "key", "account", "kind", "state", "source", "received_at", "handled_at", "done_at", "due_at", "attempts",
    "delete_attempts", "caller", "api", "error", "id", "originator", "recipient", "mobile_number", "type", "event_type",
    "error_type", "event_code", "occurred_at", "sent_at", "body", "detail",
)  # fmt: skip
"""The columns of CSV. JSON lines have the notification whole."""
WRITTEN_BY_PEOPLE: Final = ("body", "detail", "original")
"""The attributes that hold what people wrote."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class Writer(Protocol):
    """A function that makes the lines of a file."""

    def __call__(self, pages: Iterable[Page], *, with_bodies: bool) -> Iterator[str]:
        """Yield the lines of some pages; what people wrote is left out without ``with_bodies``."""


def json_lines(pages: Iterable[Page], *, with_bodies: bool) -> Iterator[str]:
    """Yield each notification as an object in a line."""
    for page in pages:
        rows = (values(record, page.errors.get(record.seq), with_bodies=with_bodies) for record in page.records)
        yield "".join(json.dumps(row) + "\n" for row in rows)


def csv_lines(pages: Iterable[Page], *, with_bodies: bool) -> Iterator[str]:
    """Yield a head, and each notification as a row. A byte-order mark comes first, without which Excel takes cp1252."""
    yield "\ufeff" + _csv([COLUMNS])
    for page in pages:
        rows = []
        for record in page.records:
            row = values(record, page.errors.get(record.seq), with_bodies=with_bodies)
            flat = {**row.pop("notification"), **row}
            rows.append([_harmless(flat.get(name)) for name in COLUMNS])
        yield _csv(rows)


def values(record: Record, error: str | None, *, with_bodies: bool) -> dict[str, Any]:
    """Return a notification with its state as plain values."""
    content = stored_values(record.notification)
    if not with_bodies:
        content = {name: value for name, value in content.items() if name not in WRITTEN_BY_PEOPLE}
    moments = {name: getattr(record, name) for name in ("received_at", "handled_at", "done_at", "due_at")}
    return {
        "key": record.key,
        "account": record.account,
        "kind": record.kind.value,
        "state": record.state.value,
        "source": record.source.value,
        **{name: instant(moment) or None for name, moment in moments.items()},
        "attempts": record.attempts,
        "delete_attempts": record.delete_attempts,
        "caller": record.caller,
        "api": record.api,
        "error": error,
        "notification": content,
    }


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace").decode()  # half a surrogate pair has no bytes


def _harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what could be one."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
