"""What all pages share: the blueprint, the navigation, the errors, and what each template may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from flask import Blueprint, render_template, request

from soap_handler.console.pages import words
from soap_handler.console.parts import parts
from soap_handler.errors import JournalUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from sqlalchemy import Connection

NAVIGATION: Final = (
    ("pages.home", "Overview"),
    ("pages.messages", "Messages"),
    ("pages.dead", "Dead"),
    ("pages.waiting", "Waiting"),
    ("pages.reconciliations", "Reconciliations"),
    ("pages.destinations", "Destinations"),
    ("pages.accounts", "Accounts"),
    ("pages.configuration", "Settings"),
    ("access.audit", "Audit"),
)
"""The pages that are named at the top of each, in order: endpoint and name."""

T = TypeVar("T")

_SILENCE_SECONDS: Final = 10.0

site: Final = Blueprint("pages", __name__)


def set_up(app: Flask) -> None:
    """Give the templates what they use. Who may do what they ask ``access``, which its own ``install`` sets up."""
    app.jinja_env.globals["navigation"] = navigation
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_error_handler(JournalUnavailableError, _out_of_reach)


def ask(query: Callable[[Connection], T]) -> T:
    """Ask the journal for a page. A server that says nothing is given up: it must not hold all threads of the console.

    Raises:
        JournalUnavailableError: it is out of reach.
    """
    return parts().journal.read(query, _SILENCE_SECONDS)


def navigation() -> list[tuple[str, str, bool]]:
    """Return the endpoint and the name of each page, and whether it is the present one."""
    return [(endpoint, name, endpoint == request.endpoint) for endpoint, name in NAVIGATION]


def is_fragment() -> bool:
    """Whether the script of a page asks for what may have changed, and not for the whole page."""
    return request.headers.get("X-Fragment") == "1"


def _out_of_reach(error: JournalUnavailableError) -> tuple[str, int]:
    return render_template("problem.html", title="The journal is out of reach", problem=str(error)), 503


@site.app_errorhandler(404)
def _not_found(_error: Exception) -> tuple[str, int]:
    return render_template("problem.html", title="There is no such page", problem="It may have been purged."), 404
