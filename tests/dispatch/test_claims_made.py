"""How often the claim loop claims: never for nothing, and still at once where something is due. Polling is far away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.dispatch.breaker import Breaker
from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Entry, State
from tests.dispatch.dispatching import dispatching, entry, in_state, message, outcomes, settings
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from soap_handler.journal import Claim, Journal
    from soap_handler.notifications import Notification

FAR: dict[str, Any] = {"timeout": 4000, "poll_seconds": 1000.0}
"""With this the next poll is far; it comes in a quarter of the handlers' time limit at the latest."""


@pytest.fixture
def claims(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how much each claim found."""
    found: list[int] = []
    claim = journal.claim

    def noted(*terms: Any, **more: Any) -> list[Claim]:
        claimed = claim(*terms, **more)
        found.append(len(claimed))
        return claimed

    monkeypatch.setattr(journal, "claim", noted)
    return found


def test_a_lone_notification_is_one_claim(journal: Journal, claims: list[int]) -> None:
    """Neither the end of its run nor the commit of its result has the journal searched by a claim."""
    with dispatching(journal, lambda _: None, **FAR) as dispatcher:
        wait_for(lambda: claims == [0])
        for number in range(1, 6):
            journal.record(entry(number))
            wait_for(lambda number=number: in_state(journal, State.HANDLED) == number)  # type: ignore[misc]
            wait_for(lambda: not dispatcher.busy)
        assert claims == [0, 1, 1, 1, 1, 1]


def test_a_run_that_ends_makes_room_for_the_next(journal: Journal) -> None:
    """With one thread, slow at first sight, each of them waits for the one before."""
    journal.record_all([entry(number) for number in range(5)])
    with dispatching(journal, lambda _: None, threads=1, **FAR):
        wait_for(lambda: in_state(journal, State.HANDLED) == 5)


def test_a_retry_is_made_when_it_is_due(journal: Journal) -> None:
    """The commit of the failure wakes the loop, which looks when to claim."""
    failures = [1, 2, 3]

    def fail(_: Notification) -> None:
        if failures:
            raise RuntimeError(str(failures.pop()))

    with dispatching(journal, fail, **FAR):
        journal.record(entry(1))
        wait_for(lambda: in_state(journal, State.HANDLED) == 1)
    assert outcomes(journal, 1) == ["failed", "failed", "failed", "ok"]


def test_the_next_of_an_originator_follows_at_once(journal: Journal) -> None:
    """The commit that ends the first makes the second due."""
    handled: list[str] = []
    entries = [Entry(replace(message(number), originator="447700900123"), datetime.now(UTC)) for number in range(4)]
    with dispatching(journal, lambda one: handled.append(one.body), **FAR):  # type: ignore[union-attr]
        journal.record_all(entries)
        wait_for(lambda: in_state(journal, State.HANDLED) == 4)
    assert handled == ["0", "1", "2", "3"]


def test_a_suspect_makes_room_for_the_next(journal: Journal) -> None:
    """They are run one at a time: the end of each wakes the loop."""
    journal.record_all([entry(number) for number in range(3)])
    assert len(journal.claim(3, timedelta())) == 3
    with dispatching(journal, lambda _: None, **FAR):
        wait_for(lambda: in_state(journal, State.HANDLED) == 3)


def test_a_destination_that_works_again_is_given_the_rest(journal: Journal) -> None:
    """While its breaker is half open there is one trial, whose end lets all others go."""
    breaker = Breaker("crm")
    breaker.failed("busy", after=0.2)
    handlers = Handlers()
    handlers.all_kinds(lambda _: breaker.succeeded())
    destination = replace(of_handlers(handlers, settings(timeout=FAR["timeout"])), breaker=breaker)
    journal.record_all([entry(number) for number in range(5)])
    dispatcher = Dispatcher(journal, destination, lambda _: False, poll_seconds=FAR["poll_seconds"])
    dispatcher.start()
    try:
        wait_for(lambda: in_state(journal, State.DONE) == 5)
    finally:
        assert dispatcher.stop(20)
