"""Where a handler failed: the place in the log, and the frames in the history; never a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.dispatch.frames import is_own, trace_of
from soap_handler.errors import GiveUp
from soap_handler.journal import State, Trace
from soap_handler.notifications import MessageReceived
from tests.dispatch.dispatching import dispatching, entry, events, in_state, record_of
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from soap_handler.journal import Attempt, Journal
    from soap_handler.notifications import Notification

SECRET = "447700900123"


def read(text: str) -> Any:
    return json.loads(text)


def stumble(_: Notification) -> None:
    """Fail inside the standard library, over a value that nobody may see."""
    try:
        read(SECRET + "{")
    except ValueError as error:
        raise KeyError(SECRET) from error


def failed(journal: Journal, handler: Any, attempts: int = 2) -> list[Attempt]:
    """Have a handler fail at a message; return the attempts."""
    with dispatching(journal, handler, max_attempts=attempts):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.DEAD) == 1)
    return journal.history(record_of(journal, 1).seq)


def test_a_failed_attempt_keeps_where_it_failed(journal: Journal) -> None:
    """The frames and those of the cause, own ones marked; equal ones are kept once, by the last attempt."""
    first, last = failed(journal, stumble)
    assert (first.trace, last.error, last.envelope) == (None, f"KeyError: '{SECRET}'", None)
    assert last.trace is not None
    lines = last.trace.splitlines()
    assert [line[0] for line in lines] == [">", "b", ">", ">", " ", " "]
    assert lines[0].startswith(f"> {__file__}:")
    assert lines[0].endswith(" in stumble")
    assert lines[1] == "because of JSONDecodeError:"
    assert lines[-1].endswith(" in decode")
    assert SECRET not in last.trace


def test_the_log_names_the_customers_own_frame(journal: Journal, log: list[dict[str, Any]]) -> None:
    """Not that of the library in which it ended."""
    failed(journal, lambda _: read("{"), attempts=1)
    (event,) = events(log, "handler_failed")
    line = read.__code__.co_firstlineno + 1
    assert event["at"] == f"test_frames.py:{line}"


def test_an_order_needs_no_frames(journal: Journal) -> None:
    """What a handler says on purpose is not a defect."""

    def give_up(_: Notification) -> None:
        raise GiveUp("not for us")

    (attempt,) = failed(journal, give_up)
    assert attempt.trace is None


def test_erasure_takes_the_frames_too(journal: Journal) -> None:
    """Nothing is left in the history of an erased notification but that there were attempts."""

    def handle(notification: Notification) -> None:
        assert isinstance(notification, MessageReceived)
        raise ValueError(notification.originator)

    message = MessageReceived(account="EX0000001", id="m", originator=SECRET)
    with dispatching(journal, handle, max_attempts=1):
        journal.record(type(entry(1))(message, entry(1).received_at))
        wait_for(lambda: in_state(journal, State.DEAD) == 1)
    journal.erasures.erase(Trace(f"+{SECRET}"))
    (line,) = journal.attempts()
    assert line[1].trace is None


def test_a_trace_has_an_end() -> None:
    """A recursion without one, and a chain of causes: some frames of each are kept."""

    def down(depth: int) -> None:
        if depth == 0:
            raise ValueError from None
        try:
            down(depth - 1)
        except ValueError as error:
            raise ValueError from error

    def recurse() -> None:
        recurse()

    with pytest.raises(ValueError, match=r"^$") as deep:
        down(30)
    assert len(trace_of(deep.value).splitlines()) < 90
    with pytest.raises(RecursionError) as endless:
        recurse()
    assert len(trace_of(endless.value).splitlines()) == 20


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (__file__, True),
        ("/srv/app/sms.py", True),
        (json.__file__, False),
        (pytest.__file__, False),
        ("/home/app/.local/lib/python3.11/site-packages/x/y.py", False),
        ("/usr/lib/python3/dist-packages/x.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
    ],
)
def test_whose_code_a_file_is(file: str, own: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What is of no library, and not ours, is the customer's."""
    assert is_own(file) is own
