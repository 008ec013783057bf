"""The horizon: a claim does not step over what waits for another destination, and misses nothing of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.dispatch.horizon import MARGIN, WHOLE_SEARCH_SECONDS, Horizon
from soap_handler.journal import Entry, Journal
from soap_handler.journal.order import UNSEEN_ROWS
from soap_handler.journal.scope import Rule, Scope
from soap_handler.notifications import MessageReceived
from tests.journal.entries import LEASE, START, Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLOW, QUICK = "EX0000001", "EX0000002"
SCOPE = Scope(((Rule(accounts=frozenset({SLOW})), False), (Rule(accounts=frozenset({QUICK})), True)))


def of(account: str, number: int, originator: int) -> Entry:
    return Entry(MessageReceived(account=account, id=f"m{number}", originator=f"44{originator}"), START)


def steps(journal: Journal, question: Callable[[], object]) -> int:
    """Count the steps of SQLite's machine during a question, in whatever thread."""
    counted: list[int] = []
    reading: Any = journal.read(lambda connection: connection.connection.driver_connection)
    connections = [reading, journal.committer.connection.connection.driver_connection]  # type: ignore[attr-defined]
    for each in connections:
        each.set_progress_handler(lambda: counted.append(1), 10)
    question()
    for each in connections:
        each.set_progress_handler(None, 1)
    return len(counted) * 10


def test_a_backlog_of_another_destination_makes_no_claim_longer(tmp_path: Path) -> None:
    """What waits for it for longer than the margin is stepped over no more, and becomes seen."""
    clock, horizon = Clock(), Horizon(SCOPE)
    with Journal(f"sqlite:///{tmp_path}/journal.db", clock=clock) as journal:

        def quick(number: int) -> int:
            """Return the steps of the claim of one that has just come."""
            journal.record(of(QUICK, number, number))
            found: list[Any] = []
            taken = steps(journal, lambda: found.extend(journal.claim(5, LEASE, in_order=True, scope=horizon.scope)))
            now = journal.queue_now()
            horizon.found(journal.next_handling(horizon.scope), now)
            clock.forward(0.1)
            claimed.extend(found)
            return taken

        claimed: list[Any] = []
        alone = quick(0)
        journal.record_all([of(SLOW, number, number) for number in range(2 * UNSEEN_ROWS + 10)])
        clock.forward(2 * MARGIN.total_seconds())
        for number in range(1, 6):
            quick(number)
        assert quick(6) < 3 * alone
        assert sorted(each.key for each in claimed) == sorted(of(QUICK, n, n).notification.key for n in range(7))


def test_the_whole_queue_is_searched_each_minute() -> None:
    """What became due behind the horizon after all does not wait for ever."""
    now = [100.0]
    horizon = Horizon(SCOPE, lambda: now[0])
    assert horizon.scope is SCOPE
    horizon.found(None, START)
    assert horizon.scope is not None
    assert horizon.scope.since == START - MARGIN
    horizon.found(START - 3 * MARGIN, START)
    assert horizon.scope.since == START - 3 * MARGIN
    now[0] += WHOLE_SEARCH_SECONDS
    assert horizon.scope is SCOPE
    horizon.found(None, START)
    assert horizon.scope is not SCOPE


def test_a_search_that_lasts_over_the_minute_is_not_taken_for_the_whole() -> None:
    """The time was over only while a part was searched: the whole queue comes next."""
    now = [100.0]
    horizon = Horizon(SCOPE, lambda: now[0])
    assert horizon.scope is SCOPE
    horizon.found(None, START)
    now[0] += WHOLE_SEARCH_SECONDS - 0.1
    assert horizon.scope is not SCOPE
    now[0] += 0.2
    horizon.found(None, START)
    assert horizon.scope is SCOPE


def test_all_of_the_queue_needs_no_horizon() -> None:
    """Without routes there is one destination, which takes what is due first."""
    horizon = Horizon(None)
    horizon.found(None, START)
    assert horizon.scope is None
