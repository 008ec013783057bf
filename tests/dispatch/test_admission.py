"""Admission control: the claim loop takes no more than it is granted, and no sooner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.admission import Admission
from soap_handler.journal import Journal, State
from tests.dispatch.dispatching import dispatching, entry, in_state
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from datetime import timedelta

    import pytest

    from soap_handler.journal import Claim


class OneByOne(Admission):
    """Grants one claim at a time, with a pause behind each."""

    @property
    def pause(self) -> float:
        return 0.05

    def allows(self, wanted: int, cost: float = 1.0) -> int:  # noqa: ARG002
        return min(wanted, 1)

    def in_burst(self) -> bool:
        return True


def test_no_more_is_claimed_than_is_granted_and_no_sooner(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty notifications are twenty claims, and nineteen pauses lie between them."""
    claims: list[int] = []
    claim = journal.claim

    def counted(limit: int, lease: timedelta, **terms: Any) -> list[Claim]:
        claimed = claim(limit, lease, **terms)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(journal, "claim", counted)
    journal.record_all([entry(number) for number in range(20)])
    began = time.monotonic()
    with dispatching(journal, lambda _: None, admission=OneByOne()):
        wait_for(lambda: in_state(journal, State.HANDLED) == 20)
    assert time.monotonic() - began >= 19 * OneByOne().pause
    assert max(claims) == 1


def test_it_is_told_what_a_handler_costs(journal: Journal) -> None:
    """By CPU time, as a multiple of a handler that does nothing: waiting costs nothing."""
    told: list[float] = []

    class Listening(Admission):
        def allows(self, wanted: int, cost: float = 1.0) -> int:
            told.append(cost)
            return wanted

    def compute(_: object) -> None:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            pass

    journal.record_all([entry(number) for number in range(20)])
    with dispatching(journal, compute, admission=Listening()):
        wait_for(lambda: in_state(journal, State.HANDLED) == 20)
        wait_for(lambda: told[-1] > 10)
    assert told[0] == 1


def test_the_plain_way_is_granted_everything_at_once() -> None:
    """No limit, no pause, no gap."""
    unlimited = Admission()
    assert unlimited.allows(10_000) == 10_000
    assert (unlimited.pause, unlimited.delete_gap, unlimited.in_burst()) == (0, 0, False)
