"""What is dead and what waits, grouped by error, with what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import render_template

from soap_handler.console.pages.messages import ahead
from soap_handler.console.pages.site import ask, site
from soap_handler.console.parts import parts
from soap_handler.journal import State, Step
from soap_handler.journal.questions import consistently, states, waiting
from soap_handler.journal.questions.deaths import MOST_EXAMINED, by_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from soap_handler.journal.questions import Deaths, Waiting

_GROUPS_SHOWN = 100


@site.get("/dead")
def dead() -> str:
    """Show the dead by error."""

    def read(connection: Connection) -> tuple[Mapping[State, int], Sequence[Deaths]]:
        consistently(connection)
        return states(connection), by_error(connection, State.DEAD)

    journal = parts().journal
    counts, groups = ask(read)
    total = counts[State.DEAD]
    return render_template(
        "dead.html", now=journal.now(), total=total, groups=groups[:_GROUPS_SHOWN], **_rest(groups, total)
    )


@site.get("/waiting", endpoint="waiting")
def waiting_page() -> str:
    """Show what waits for its handler, and for its delete, by error."""
    journal = parts().journal
    queue_now = journal.queue_now()

    def read(connection: Connection) -> list[tuple[State, Waiting, Sequence[Deaths]]]:
        consistently(connection)
        return [
            (state, waiting(connection, step, queue_now), by_error(connection, state))
            for state, step in ((State.RECEIVED, Step.HANDLE), (State.HANDLED, Step.DELETE))
        ]

    found = ask(read)
    steps = [
        {"state": state, "waiting": seen, "groups": groups[:_GROUPS_SHOWN], **_rest(groups, seen.count)}
        for state, seen, groups in found
    ]
    return render_template("waiting.html", now=journal.now(), ahead=ahead(journal), steps=steps)


def _rest(groups: Sequence[Deaths], total: int) -> dict[str, int]:
    """Return what the groups on the page do not tell: how many other errors, and how many were not looked at."""
    return {
        "other_errors": len(groups[_GROUPS_SHOWN:]),
        "not_grouped": max(0, total - MOST_EXAMINED) if sum(group.count for group in groups) >= MOST_EXAMINED else 0,
    }
