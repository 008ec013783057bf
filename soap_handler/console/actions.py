"""Actions of operators: retry, replay and give up; of one notification, of several, or of all that a filter finds.

An action is counted first and confirmed with that count. Each is in the audit trail with the operator's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request

from soap_handler import telemetry
from soap_handler.console.access.views import local_path
from soap_handler.console.access.visitors import access, visitor
from soap_handler.console.order import UnreadableError, order_of
from soap_handler.console.parts import parts
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import questions
from soap_handler.journal.operator import audit
from soap_handler.journal.operator.giving_up import count_to_give_up, give_up
from soap_handler.journal.operator.replaying import count_replayable, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask.typing import ResponseReturnValue

    from soap_handler.console.order import Order
    from soap_handler.journal import Journal, Selection

CONFIRM: Final = "confirm"
"""The form field with the count that the operator was shown."""
_SEE_OTHER: Final = 303

actions: Final = Blueprint("actions", __name__)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an operator may do with notifications."""

    verb: str
    """As a button says it."""
    question: str
    done: str
    nothing: str
    """What is said where there is nothing to do it with."""
    count: Callable[[Journal, Selection], int]
    carry_out: Callable[[Journal, Selection, str], int]
    """Takes the reason too, and returns how many there were."""


ACTIONS: Final[Mapping[str, Action]] = {
    "retry": Action(
        "Retry",
        "{:,} dead: each goes to its handler or sink again, with a fresh count of attempts.",
        "{:,} sent round again.",
        "None of them is dead.",
        lambda journal, selection: journal.read(lambda connection: questions.count_dead(connection, selection)),
        lambda journal, selection, _: journal.retry(selection),
    ),
    "replay": Action(
        "Replay",
        "{:,} done: each goes to its handler or sink once more, with the same key.",
        "{:,} sent round once more.",
        "None of them can be replayed: they are not done, are tests, or were erased.",
        lambda journal, selection: count_replayable(journal, selection).notifications,
        lambda journal, selection, _: replay(journal, selection).notifications,
    ),
    "give-up": Action(
        "Give up",
        "{:,} waiting: each becomes dead, without another attempt. Retry sends it round again.",
        "{:,} given up.",
        "None of them waits for its handler, or each is being worked on.",
        count_to_give_up,
        give_up,
    ),
}
"""Every action, by the last part of its address."""


@actions.post("/actions/<name>")
def act(name: str) -> ResponseReturnValue:
    """Count, have it confirmed, act, and go back to where the form was."""
    action = ACTIONS.get(name)
    if action is None:
        abort(404)
    journal = parts().journal
    try:
        found = order_of(request.form, parts().settings.account, journal)
    except UnreadableError as error:
        return render_template("access/refused.html", text=str(error)), 400
    count = action.count(journal, found.selection)
    if not count or request.form.get(CONFIRM) != str(count):
        return _ask(name, action, found, count)
    try:
        done = _carry_out(name, action, found.selection)
    except JournalUnavailableError as error:
        flash(f"It ended early: {error}. What was done until then is done.", "error")
    else:
        flash(action.done.format(done))
    return redirect(_back(), _SEE_OTHER)


def _carry_out(name: str, action: Action, selection: Selection) -> int:
    """Act, with a row in the audit trail from before to after it; return how many there were."""
    journal, operator = parts().journal, visitor()
    who = operator.name if operator else ""
    reason = request.form.get("reason", "").strip() or "given up in the console"
    with audit.noted(journal, who, name, audit.subject_of([selection]), access().caller()) as note:
        note.notifications = action.carry_out(journal, selection, f"{reason} ({who})")
    telemetry.emit("console_action", action=name, user=who, notifications=note.notifications)
    return note.notifications


def _ask(name: str, action: Action, found: Order, count: int) -> ResponseReturnValue:
    """Return the page that asks to confirm, with the count and the filter."""
    back = _back()
    chosen = sum(field == "seq" for field, _ in found.fields)
    return render_template(
        "access/confirm.html",
        name=name,
        verb=action.verb,
        question=action.question.format(count),
        nothing=action.nothing,
        count=count,
        changed=CONFIRM in request.form,
        shown={**found.shown, "chosen": f"{chosen:,}"} if chosen else found.shown,
        fields=[*found.fields, ("back", back)],
        reason=request.form.get("reason", ""),
        back=back,
    )


def _back() -> str:
    """Return the path of the page that the form was on."""
    if "back" in request.form:
        return local_path(request.form["back"])
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "/"
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)
