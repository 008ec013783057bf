"""One message: its transaction from push to delete, its values, what was repaired, and the request that was kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import abort, render_template

from soap_handler.console.access.visitors import may_read_bodies
from soap_handler.console.pages import exports, kept_request
from soap_handler.console.pages.history import timeline
from soap_handler.console.pages.messages import ahead
from soap_handler.console.pages.site import ask, site
from soap_handler.console.parts import LARGEST_NUMBER, parts
from soap_handler.faces.marks import reason_of
from soap_handler.journal import queries
from soap_handler.journal.questions import consistently
from soap_handler.journal.questions.browsing import original, record
from soap_handler.notifications import stored_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from soap_handler.journal import Attempt, Record

_FIRST = ("originator", "mobile_number", "recipient", "body", "event_type", "error_type", "event_code", "id")
"""The values that are read first, in this order."""
_TOLD_ELSEWHERE = ("account", "repaired", "original", "digest")


@site.get(f"/messages/<int(max={LARGEST_NUMBER}):seq>")
def message(seq: int) -> str:
    """Show one message."""
    journal = parts().journal

    def read(connection: Connection) -> tuple[Record | None, list[Attempt], bytes | None]:
        consistently(connection)
        found = record(connection, seq, ahead(journal))
        return found, queries.history(connection, seq), original(connection, seq)

    found, history, content = ask(read)
    if found is None:
        abort(404)
    readable = may_read_bodies()
    notification = found.notification
    return render_template(
        "message.html",
        record=found,
        now=journal.now(),
        entries=timeline(found, history),
        values=list(_values(found, readable=readable)),
        repaired=[(mark, reason_of(mark, notification) if readable else "") for mark in notification.repaired],
        request_size=None if content is None else len(content),
        request=kept_request.shown(content) if content is not None and readable else None,
        shown=kept_request.shown,
    )


def _values(found: Record, *, readable: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the attributes that have a value, in the order of reading; ``None`` for one that is not shown."""
    values = {name: value for name, value in stored_values(found.notification).items() if name not in _TOLD_ELSEWHERE}
    for name in (*(each for each in _FIRST if each in values), *(each for each in values if each not in _FIRST)):
        value = values[name]
        if value in (None, "", []):
            continue
        hidden = name in exports.WRITTEN_BY_PEOPLE and not readable
        yield name, None if hidden else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
