"""Handlers that raise, over and over, or that kill the process: tried again, and put aside in the end."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import RetryLater
from soap_handler.journal import Journal, Selection, State
from tests.dispatch.dispatching import dispatching, entry, events, execute, in_state, message, outcomes, record_of
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from soap_handler.notifications import Notification


def test_a_handler_that_raises_is_called_again_until_it_is_dead(journal: Journal, log: list[Any]) -> None:
    """Each try is an attempt with its reason; after the last one the notification is put aside."""
    called: list[float] = []

    def handle(_: Notification) -> None:
        called.append(time.monotonic())
        raise ValueError("no room")

    with dispatching(journal, handle, max_attempts=3):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.DEAD) == 1)
    record = record_of(journal, 1)
    assert (len(called), record.attempts, record.due_at) == (3, 3, None)
    assert [(one.outcome, one.error) for one in journal.history(record.seq)] == [("failed", "ValueError: no room")] * 3
    assert len(events(log, "notification_dead")) == 1
    assert "no room" not in str(log), "what a handler says may quote a message"


def test_a_retry_waits_for_its_back_off(journal: Journal) -> None:
    """Between two attempts lies the drawn delay, at most the exponential one."""
    tried: list[datetime] = []

    def handle(_: Notification) -> None:
        tried.append(datetime.now(UTC))
        if len(tried) < 4:
            raise ValueError

    with dispatching(journal, handle, backoff=0.1, backoff_cap=0.2):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(tried)]
    assert all(gap < longest + 0.5 for gap, longest in zip(gaps, [0.1, 0.2, 0.2], strict=True))
    assert outcomes(journal, 1) == ["failed", "failed", "failed", "ok"]


@pytest.mark.parametrize(
    ("after", "error"),
    [
        (timedelta(seconds=0.01), "not yet"),
        (-5, "not yet"),
        ("60", "TypeError: RetryLater: after is no time; expected a number of seconds, or a timedelta"),
        (float("nan"), "TypeError: RetryLater: after is no time; expected a number of seconds, or a timedelta"),
        (float("inf"), "TypeError: RetryLater: after is no time; expected a number of seconds, or a timedelta"),
    ],
)
def test_whatever_a_handler_calls_a_time_costs_no_thread(journal: Journal, after: Any, error: str) -> None:
    """A timedelta is one, what is past is none to wait for, and anything else fails the attempt and says so."""
    called: list[str] = []

    def handle(notification: Notification) -> None:
        called.append(getattr(notification, "body", ""))
        if called.count("1") == 1 and called[-1] == "1":
            raise RetryLater("not yet", after=after)

    with dispatching(journal, handle, threads=1):
        for number in (1, 2):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.HANDLED) == 2)
    history = journal.history(record_of(journal, 1).seq)
    assert [(one.outcome, one.error) for one in history] == [("failed", error), ("ok", None)]


def test_an_attempt_far_away_waits_for_as_long_as_a_time_can_be(journal: Journal) -> None:
    """A delay of thousands of years is cut off, and ends no thread."""

    def handle(notification: Notification) -> None:
        if getattr(notification, "body", "") == "1":
            raise RetryLater("not yet", after=1e300)

    with dispatching(journal, handle, threads=1):
        for number in (1, 2):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    due_at = record_of(journal, 1).due_at
    assert due_at is not None
    assert due_at > datetime.now(UTC) + timedelta(days=365)


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        SilentError(),
        ValueError("\0\ud83d"),
        ValueError("x" * 9999),
    ],
)
def test_whatever_a_handler_raises_is_a_failed_attempt(journal: Journal, error: BaseException) -> None:
    """Neither sys.exit() nor an exception with an impossible text ends a thread of ours or sticks."""
    calls: list[Notification] = []

    def handle(notification: Notification) -> None:
        calls.append(notification)
        if len(calls) == 1:
            raise error

    with dispatching(journal, handle, threads=1):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert outcomes(journal, 1) == ["failed", "ok"]


def test_sys_exit_in_a_handler_ends_nothing(journal: Journal) -> None:
    """The real thing, in every thread there is."""
    with dispatching(journal, lambda _: sys.exit(1), threads=2, max_attempts=2):
        for number in range(6):
            journal.record(entry(number))
        wait_for(lambda: in_state(journal, State.DEAD) == 6)


def test_a_payload_that_cannot_be_read_goes_dead(journal: Journal, url: str) -> None:
    """A poisoned row fails as often as any other, then it is put aside, and nothing waits behind it."""
    journal.record(entry(1))
    execute(url, "UPDATE notification SET payload = '{'")
    handled: list[Notification] = []
    with dispatching(journal, handled.append, max_attempts=2):
        journal.record(entry(2))
        wait_for(lambda: in_state(journal, State.DEAD) == 1 and in_state(journal, State.HANDLED) == 1)
    assert handled == [message(2)]
    assert [record.state for record in journal.records(Selection(key=message(1).key))] == [State.DEAD]


def test_what_kills_the_process_each_time_goes_dead(journal: Journal, log: list[Any]) -> None:
    """When so many attempts as are allowed began and never ended, it is not begun once more; that is no attempt."""
    journal.record(entry(1))
    for _ in range(4):
        (claim,) = journal.claim(1, timedelta(microseconds=-1))  # as one who was killed at once
        assert not claim.is_suspect or journal.begin(claim)
    handled: list[Notification] = []
    with dispatching(journal, handled.append, max_attempts=3):
        wait_for(lambda: in_state(journal, State.DEAD) == 1)
    assert handled == []
    assert outcomes(journal, 1) == ["lost", "lost", "lost", "lost", "dead"]
    assert record_of(journal, 1).attempts == 3
    assert [event["attempts"] for event in events(log, "notification_dead")] == [3]


def test_what_was_claimed_when_a_process_died_is_no_attempt(journal: Journal) -> None:
    """However often its lease ran out before its handler was called, it is handled."""
    journal.record(entry(1))
    for _ in range(5):
        assert len(journal.claim(1, timedelta(microseconds=-1))) == 1
    with dispatching(journal, lambda _: None, max_attempts=1):
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert record_of(journal, 1).attempts == 1


def test_suspects_are_called_one_at_a_time(journal: Journal) -> None:
    """Of what a dead process may have been running, no two run at once; others do not wait for them."""
    numbers = range(6)
    journal.record_all([entry(number) for number in numbers])
    assert len(journal.claim(6, timedelta(microseconds=-1))) == 6
    journal.record(entry(9))
    running, most, others = Counter[str](), [0], threading.Event()
    lock = threading.Lock()

    def handle(notification: Notification) -> None:
        if notification == message(9):
            others.set()
            return
        with lock:
            running["now"] += 1
            most[0] = max(most[0], running["now"])
        assert others.wait(10)
        with lock:
            running["now"] -= 1

    with dispatching(journal, handle, threads=4):
        wait_for(lambda: in_state(journal, State.HANDLED) == 7)
    assert most == [1]


class UnspeakableError(BaseException):
    def __str__(self) -> str:
        raise SystemExit


def test_a_handler_thread_outlives_whatever_a_handler_leaves(journal: Journal) -> None:
    """An exception whose own text raises beyond Exception is a failed attempt, and the thread goes on."""
    calls: list[Notification] = []

    def handle(notification: Notification) -> None:
        calls.append(notification)
        if len(calls) == 1:
            raise UnspeakableError

    with dispatching(journal, handle, threads=1) as dispatcher:
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        assert dispatcher.pool.threads == 1
    assert outcomes(journal, 1) == ["failed", "ok"]


def test_a_forked_child_that_returns_is_ended(journal: Journal) -> None:
    """It must not go on as a second service on the same journal."""
    children: list[int] = []

    def handle(_: Notification) -> None:
        if child := os.fork():
            children.append(child)

    with dispatching(journal, handle):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
        deadline = time.monotonic() + 10
        while (ended := os.waitpid(children[0], os.WNOHANG))[0] == 0:
            assert time.monotonic() < deadline
    assert ended == (children[0], 0)
    assert outcomes(journal, 1) == ["ok"]
