"""The messages: search, one page after the other, and the same as a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from flask import Response, render_template, request

from soap_handler.console.access.visitors import may_read_bodies
from soap_handler.console.pages import exports, filters
from soap_handler.console.pages.site import ask, is_fragment, site
from soap_handler.console.parts import parts, row_number
from soap_handler.journal import State
from soap_handler.journal.questions.browsing import Page, Search, browse
from soap_handler.notifications import Kind
from soap_handler.settings import all_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.console.pages.filters import Filter
    from soap_handler.journal import Journal

_ROWS_OF_A_FILE = 500
_NOTHING = Page()


@site.get("/messages")
def messages() -> tuple[str, int]:
    """Show a page of the messages that the form's fields select, or the rows alone for the script."""
    journal = parts().journal
    wanted = _wanted(sought := _sought(), request.args.get("before", type=row_number))
    page = _NOTHING if sought.problems else ask(partial(browse, wanted=wanted, ahead=ahead(journal)))
    values = {
        "sought": sought,
        "page": page,
        "now": journal.now(),
        "before": wanted.before,
        "states": list(State),
        "kinds": list(Kind),
        "accounts": [account.reference for account in parts().settings.account],
    }
    template = "messages_rows.html" if is_fragment() else "messages.html"
    return render_template(template, **values), 400 if sought.problems else 200


@site.get("/messages.csv")
def messages_csv() -> Response:
    """Send all that the fields select as CSV, the latest first, while it is read."""
    return _file("csv", "text/csv; charset=utf-8", exports.csv_lines)


@site.get("/messages.jsonl")
def messages_jsonl() -> Response:
    """Send all that the fields select as JSON, one object a line, while it is read."""
    return _file("jsonl", "application/x-ndjson", exports.json_lines)


def _file(ending: str, content_type: str, lines: exports.Writer) -> Response:
    sought = _sought()
    if sought.problems:
        return Response("; ".join(sought.problems.values()), 400, content_type="text/plain; charset=utf-8")
    pages = _all_pages(parts().journal, _wanted(sought))
    response = Response(lines(pages, with_bodies=may_read_bodies()), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="messages.{ending}"'
    return response


def _sought() -> Filter:
    return filters.read(request.args, parts().settings.account, parts().journal.now())


def _wanted(sought: Filter, before: int | None = None) -> Search:
    """Return what to browse for: a message id may be under any name of an account."""
    return Search(sought.selection, sought.begins, all_names(parts().settings.account), before)


def _all_pages(journal: Journal, wanted: Search) -> Iterator[Page]:
    """Yield one page after the other, each read by itself: a slow reader holds no transaction open."""
    while True:
        read = partial(browse, wanted=wanted, ahead=ahead(journal), most=_ROWS_OF_A_FILE)
        page = journal.read(read)
        yield page
        if page.older is None:
            return
        wanted = replace(wanted, before=page.older)


def ahead(journal: Journal) -> timedelta:
    """Return by how much the queue's clock is ahead of the wall clock: less than a second is no difference."""
    return timedelta(seconds=round((journal.queue_now() - journal.now()).total_seconds()))
