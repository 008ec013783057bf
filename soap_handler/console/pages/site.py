"""What all pages share: the blueprint, the headers, the errors, and what each template may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from flask import Blueprint, Response, current_app, render_template, request

from soap_handler.console.pages import words
from soap_handler.console.parts import parts
from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from sqlalchemy import Connection

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
NAVIGATION: Final = (
    ("pages.home", "Overview"),
    ("pages.messages", "Messages"),
    ("pages.dead", "Dead"),
    ("pages.waiting", "Waiting"),
    ("pages.reconciliations", "Reconciliations"),
    ("pages.destinations", "Destinations"),
    ("pages.accounts", "Accounts"),
    ("pages.configuration", "Settings"),
)
"""The pages that are named at the top of each, in order: endpoint and name."""

T = TypeVar("T")

_SILENCE_SECONDS: Final = 10.0

site: Final = Blueprint("pages", __name__)


def set_up(app: Flask) -> None:
    """Give the templates what they use. Who may do what is set up elsewhere, before or after; until then all may."""
    names = app.jinja_env.globals
    names.setdefault("csrf_token", str)
    names.setdefault("may_operate", lambda: True)
    names.setdefault("may_read_bodies", lambda: True)
    names["navigation"] = navigation
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_error_handler(JournalUnavailableError, _out_of_reach)


def ask(query: Callable[[Connection], T]) -> T:
    """Ask the journal for a page. A server that says nothing is given up: it must not hold all threads of the console.

    Raises:
        JournalUnavailableError: it is out of reach.
    """
    return parts().journal.read(query, _SILENCE_SECONDS)


def may_read_bodies() -> bool:
    """Whether the present user is shown what people wrote."""
    return bool(current_app.jinja_env.globals["may_read_bodies"]())  # type: ignore[operator] # it is a function


def navigation() -> list[tuple[str, str, bool]]:
    """Return the address and the name of each page, and whether it is the present one. Further ones come last."""
    here = request.endpoint
    known = [each for each in (*NAVIGATION, *current_app.config.get("FURTHER_PAGES", ())) if each[0] in _endpoints()]
    return [(endpoint, name, endpoint == here) for endpoint, name in known]


def is_fragment() -> bool:
    """Whether the script of a page asks for what may have changed, and not for the whole page."""
    return request.headers.get("X-Fragment") == "1"


def _endpoints() -> dict[str, Any]:
    return current_app.view_functions


def _out_of_reach(error: JournalUnavailableError) -> tuple[str, int]:
    return render_template("problem.html", title="The journal is out of reach", problem=str(error)), 503


@site.app_errorhandler(404)
def _not_found(_error: Exception) -> tuple[str, int]:
    return render_template("problem.html", title="There is no such page", problem="It may have been purged."), 404


@site.after_app_request
def _protect(response: Response) -> Response:
    """Have a browser run no script but ours, load nothing from elsewhere, and put no page into a frame."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    return response
