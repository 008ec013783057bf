"""What needs a person, judged from an overview: nothing that mends itself does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from soap_handler.journal import Reconciliation, State, Step, Tally
from soap_handler.journal.questions import Deaths, Flow, Inbox, Overview, Pace, Waiting
from soap_handler.journal.questions.concerns import IDLE, LATE, concerns
from tests.journal.entries import START

NOTHING = Flow(0, 300)
IDLE_PACE = Pace(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
NONE_WAITS = Waiting(Step.HANDLE, 0, 0, 0, 0, None, None, oldest_is_again=False, due_since=None)
WELL = Overview(
    at=START,
    states=dict.fromkeys(State, 0),
    handling=NONE_WAITS,
    deleting=replace(NONE_WAITS, step=Step.DELETE),
    pace=IDLE_PACE,
    last_stored_at=None,
    deaths=(),
    inboxes=(),
    reconciliations=(),
    deliveries=(),
    processes=(),
    size=0,
    ahead=timedelta(),
)
DUE = Waiting(
    Step.HANDLE, 5, 5, 0, 0, START - IDLE, "EX1/MessageReceived/1", oldest_is_again=False, due_since=START - IDLE
)
AT_WORK = replace(IDLE_PACE, handled=Flow(1, 300))
OK = Reconciliation("EX1", START, START, Tally(), None)


@pytest.mark.parametrize(
    "seen",
    [
        WELL,
        replace(WELL, handling=replace(DUE, due_since=START - IDLE / 2)),
        replace(WELL, handling=DUE, pace=AT_WORK),
        replace(WELL, handling=replace(DUE, in_work=1, count=6)),
        replace(WELL, handling=replace(DUE, due=0)),
        replace(WELL, handling=DUE, ahead=-IDLE),
        replace(WELL, handling=replace(DUE, oldest_at=START - LATE, oldest_is_again=True), pace=AT_WORK),
        replace(WELL, reconciliations=(OK,)),
    ],
    ids=[
        "nothing",
        "just due",
        "at work",
        "in work",
        "waits for retries",
        "by the queue's clock",
        "again",
        "reconciled",
    ],
)
def test_all_is_well(seen: Overview) -> None:
    """What waits for a short time, or moves, needs no person."""
    assert concerns(seen) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(WELL, handling=DUE), "5 due for its handler, and nothing happened"),
        (replace(WELL, deleting=DUE), "5 due for its delete, and nothing happened"),
        (replace(WELL, handling=replace(DUE, oldest_at=START - LATE, due=0)), "has waited for its handler for 1 h"),
        (replace(WELL, states={**WELL.states, State.DEAD: 1234}), "1,234 dead."),
        (
            replace(WELL, states={**WELL.states, State.DEAD: 2}, deaths=(Deaths("HTTP 400", 2, None, "k"),)),
            "2 dead, most of them by: HTTP 400",
        ),
        (replace(WELL, inboxes=(Inbox("EX1", 3, START, START, "HTTP 401"),)), "refuses the inbox login of EX1"),
        (replace(WELL, reconciliations=(OK, replace(OK, account="EX2", error="silence"))), "of EX2 failed: silence."),
    ],
    ids=["no service", "no deletes", "late", "dead", "dead by error", "refused", "not reconciled"],
)  # fmt: skip
def test_what_needs_a_person_is_one_sentence(seen: Overview, said: str) -> None:
    """It says what is the matter."""
    (concern,) = concerns(seen)
    assert said in concern.text
