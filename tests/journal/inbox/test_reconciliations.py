"""What holding an inbox against the journal needs of it, on each engine. The rules of a run are in ``reconcile``."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from soap_handler.journal import Beginning, Journal, Known, Settlement, State, Step, Tally
from tests.journal.entries import LEASE, START, Clock, ended, entry, message

if TYPE_CHECKING:
    from datetime import datetime

    from tests.journal.ways import Way

ACCOUNT = "EX0000001"


def key(number: int) -> str:
    return message(number).key


def finish(journal: Journal, moment: datetime) -> None:
    """Bring all that waits to where it is done."""
    claims = journal.claim(100, LEASE)
    journal.settle([ended(claim, State.HANDLED, moment) for claim in claims])
    deletions = journal.claim_deletions(ACCOUNT, 100)
    journal.settle([Settlement(one, Step.DELETE, State.DONE, None, moment, moment) for one in deletions])


def test_entries_that_are_recorded_together_keep_their_order(journal: Journal) -> None:
    """Of one instant, they are claimed in the order of the list, and each answer says whether it was new."""
    assert journal.record(entry(3))
    assert journal.record_all([entry(number) for number in (5, 3, 9, 1, 5)]) == [True, False, True, True, False]
    assert [claim.key for claim in journal.claim(10, LEASE)] == [key(number) for number in (3, 5, 9, 1)]


def test_known_keys_come_with_their_state(journal: Journal) -> None:
    """What is not in the journal is not in the answer."""
    journal.record(entry(1))
    finish(journal, START)
    journal.record(entry(2))
    assert journal.known([key(1), key(2), key(3)]) == {
        key(1): Known(State.DONE, START, has_id=True),
        key(2): Known(State.RECEIVED, None, has_id=True),
    }
    assert journal.known([]) == {}


def test_only_what_was_done_before_is_deleted_again(journal: Journal, clock: Clock) -> None:
    """It is due at once, with its count of attempts; nothing else moves."""
    journal.record(entry(1))
    finish(journal, START)
    later = clock.forward(10)
    journal.record(entry(2))
    finish(journal, later)
    journal.record(entry(3))
    assert journal.delete_again([key(1), key(2), key(3), key(4)], later) == 1
    assert journal.next_deletions().get(ACCOUNT) == later
    [claim] = journal.claim_deletions(ACCOUNT, 10)
    assert (claim.key, claim.attempts) == (key(1), 2)
    assert journal.delete_again([key(1)], later) == 0
    journal.settle_deleted([claim])
    assert [found.state for found in journal.known([key(1)]).values()] == [State.DONE]


def test_a_deletion_again_wakes_who_listens(journal: Journal) -> None:
    """The deleter need not find it by looking."""
    journal.record(entry(1))
    finish(journal, START)
    rung = threading.Event()
    journal.listen(rung.set)
    rung.clear()
    journal.delete_again([key(1)], START + timedelta(seconds=1))
    assert rung.wait(10)


def test_a_run_has_a_record_from_its_beginning(journal: Journal, clock: Clock) -> None:
    """Under way without an end; then with what it found, latest first."""
    first = journal.begin_reconciliation(Beginning(ACCOUNT, START))
    assert first is not None
    [record] = journal.reconciliations()
    assert (record.account, record.started_at, record.ended_at, record.tally) == (ACCOUNT, START, None, Tally())
    ended_at = clock.forward(5)
    tally = Tally(inbox=15, recovered=5, deleted_again=4, left_alone=3, unreadable=3)
    journal.end_reconciliation(first, tally, "it broke off")
    other = journal.begin_reconciliation(Beginning("EX0000002", START))
    assert other is not None
    [latest, record] = journal.reconciliations()
    assert latest.account == "EX0000002"
    assert (record.ended_at, record.tally, record.error) == (ended_at, tally, "it broke off")
    assert tally.known == 7
    assert journal.reconciliations(ACCOUNT) == [record]
    assert journal.reconciliations(limit=1) == [latest]


def test_beginnings_at_one_instant_are_one_run(journal: Journal, url: str, way: Way) -> None:
    """Whichever process asks; another account is another matter."""
    go = threading.Barrier(9)
    numbers: list[int | None] = []
    with Journal(url, **way) as other:

        def begin(asked: Journal, account: str) -> None:
            go.wait(20)
            numbers.append(asked.begin_reconciliation(Beginning(account, START, START, START)))

        asked = [(each, ACCOUNT) for each in (journal, other) * 4] + [(journal, "EX0000002")]
        threads = [threading.Thread(target=begin, args=one) for one in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(numbers) == 9
    assert sum(number is not None for number in numbers) == 2
