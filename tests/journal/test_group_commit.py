"""Group commit: many requests, few transactions, and each answered only after its own."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.journal.databases.heartbeat import beat
from soap_handler.journal.operator import audit
from soap_handler.notifications import MessageReceived
from tests.journal.engines import writers_held_up
from tests.journal.entries import LEASE, START, ended, entry, message
from tests.support.database import each_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tests.journal.ways import Way


@pytest.fixture
def commits(journal: Journal, url: str) -> Iterator[list[object]]:  # noqa: ARG001 - it comes first
    """Every commit of the journal from now on."""
    seen: list[object] = []
    with each_commit(url, seen.append):
        yield seen


def test_what_queues_up_shares_one_commit(journal: Journal, url: str, commits: list[object]) -> None:
    """While one transaction waits, what arrives queues up; the next one takes it all."""
    with writers_held_up(url):
        futures = [journal.submit(entry(number)) for number in range(300)]
        assert not any(future.done() for future in futures)
    assert all(journal.wait(future) for future in futures)
    assert len(commits) <= 2
    assert len(journal.records(Selection())) == 300


def test_threads_that_push_at_once_share_commits(journal: Journal, commits: list[object]) -> None:
    """Many threads that each wait for their commit need far fewer commits than entries."""
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(journal.record, [entry(number) for number in range(800)]))
    assert len(commits) < 400
    assert len(journal.records(Selection())) == 800


def test_an_answer_comes_after_the_commit(journal: Journal, url: str) -> None:
    """At the moment at which a future is done, another connection sees the row."""
    seen: list[int | None] = []
    engine = create_engine(url)

    def look(_: Future[bool]) -> None:
        with engine.connect() as connection:
            seen.append(connection.scalar(text("SELECT count(*) FROM notification")))

    for number in range(20):
        future = journal.submit(entry(number))
        future.add_done_callback(look)
        journal.wait(future)
    wait_for_callbacks(journal)
    engine.dispose()
    assert seen == [number + 1 for number in range(20)]


def wait_for_callbacks(journal: Journal) -> None:
    """Return when the writer has finished with everything before: it goes one by one."""
    journal.release([])


def test_listeners_hear_of_work_after_the_commit_and_not_of_claims(journal: Journal) -> None:
    """Whoever listens is told when there may be something to do, and its own claiming does not wake it."""
    calls: list[int] = []
    journal.listen(lambda: calls.append(len(journal.records(Selection()))))
    journal.record(entry(1))
    wait_for_callbacks(journal)
    assert calls[0] == 1
    for _ in range(5):
        journal.claim(1, LEASE)
    assert len(calls) <= 2, "that of the entry, and perhaps that of the call after it"


def _beat(journal: Journal) -> None:
    journal.wait(journal.committer.submit(beat, None))


def _note(journal: Journal) -> None:
    with audit.noted(journal, "olga", "retry", "everything"):
        pass


def _forget(journal: Journal) -> None:
    audit.forget(journal, START)
    journal.purge(START)
    journal.purge_reconciliations(START)
    journal.pass_time(timedelta(minutes=1), timedelta(days=1))


@pytest.mark.parametrize("idle", [_beat, _note, _forget])
def test_a_commit_that_makes_nothing_due_wakes_no_claim_loop(journal: Journal, idle: Callable[[Journal], None]) -> None:
    """Health, the audit trail and the purge write by themselves, on a service that may have nothing to do."""
    calls: list[str] = []
    journal.listen(lambda: calls.append("woken"))
    for _ in range(3):
        idle(journal)
    assert not calls
    journal.record(entry(1))
    wait_for_callbacks(journal)
    assert calls


def test_a_listener_that_fails_does_not_end_the_writer(journal: Journal) -> None:
    """The one who writes goes on, whatever a listener does."""

    def fail() -> None:
        raise RuntimeError("no")

    journal.listen(fail)
    assert journal.record(entry(1))
    assert journal.record(entry(2))


def test_a_request_at_fault_spoils_no_other(journal: Journal, url: str) -> None:
    """What the database refuses fails alone; what shared its transaction is stored."""
    unfit: Any = None
    with writers_held_up(url):
        good = [journal.submit(entry(number)) for number in range(10)]
        bad = journal.submit(Entry(message(99), received_at=unfit))
        good += [journal.submit(entry(number)) for number in range(10, 20)]
    with pytest.raises(JournalUnavailableError) as caught:
        bad.result(30)
    assert "447700900001" not in str(caught.value), "an error quotes no number"
    assert all(future.result(30) for future in good)
    assert len(journal.records(Selection())) == 20


def test_a_value_beyond_a_limit_of_the_database_spoils_no_other(journal: Journal, url: str) -> None:
    """PostgreSQL calls a row that is too long for an index an operational error; its neighbours are stored."""
    endless = "".join(random.Random(1).choices("0123456789abcdef", k=20_000))  # noqa: S311 - cannot be compressed
    too_long = Entry(MessageReceived(account="EX0000001", id=endless, originator="1", body=""), START)
    with writers_held_up(url):
        good = [journal.submit(entry(number)) for number in range(5)]
        journal.submit(too_long)
        good += [journal.submit(entry(number)) for number in range(5, 10)]
    assert all(future.result(30) for future in good)


def test_of_entries_that_come_together_only_the_bad_one_is_refused(journal: Journal) -> None:
    """One message of an inbox that cannot be stored keeps none of the others from being recovered."""
    unfit: Any = None
    with pytest.raises(JournalRefusedError):
        journal.record_all([entry(1), Entry(message(99), received_at=unfit), entry(2)])
    assert len(journal.records(Selection())) == 2


def test_the_same_entries_from_many_threads_are_new_once(journal: Journal) -> None:
    """Insert first: of any number of writers exactly one is told that it was new."""
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(journal.record, [entry(number % 50) for number in range(400)]))
    assert sum(answers) == 50


def test_claims_of_many_threads_never_meet(journal: Journal, clock: object) -> None:
    """No notification is leased twice at a time."""
    del clock
    for future in [journal.submit(entry(number)) for number in range(200)]:
        journal.wait(future)
    with ThreadPoolExecutor(8) as threads:
        batches = list(threads.map(lambda _: journal.claim(7, LEASE), range(40)))
    claims = [claim for batch in batches for claim in batch]
    assert len(claims) == len({claim.seq for claim in claims}) == 200
    assert all(journal.settle([ended(claim, State.DONE) for claim in claims]))


def test_close_commits_what_is_queued(url: str, way: Way) -> None:
    """Nothing that was handed in before the end is forgotten."""
    journal = Journal(url, **way)
    futures = [journal.submit(entry(number)) for number in range(2500)]
    journal.close()
    assert all(future.result(0) for future in futures)
    with Journal(url, **way) as again:
        assert len(again.records(Selection())) == 2500


def test_a_closed_journal_says_so(url: str, way: Way) -> None:
    """After the end every verb fails at once instead of waiting for ever."""
    journal = Journal(url, **way)
    journal.close()
    with pytest.raises(JournalUnavailableError, match="closed"):
        journal.record(entry(1))
    journal.close()


def test_every_future_is_answered_when_the_end_comes_meanwhile(sqlite_url: str, way: Way) -> None:
    """Whatever the moment of closing, a request is stored or refused, never left waiting."""
    for _ in range(20):
        journal = Journal(sqlite_url, **way)
        futures: list[Future[bool]] = []
        begun = threading.Event()

        def push(journal: Journal = journal, futures: list[Future[bool]] = futures, begun: Any = begun) -> None:
            for number in range(50):
                futures.append(journal.submit(entry(number)))
                begun.set()

        thread = threading.Thread(target=push)
        thread.start()
        begun.wait(10)
        journal.close()
        thread.join()
        assert not wait(futures, timeout=10).not_done


def test_waiting_has_an_end(url: str, way: Way) -> None:
    """A commit that takes longer than the timeout is reported as unavailable; what did not begin never will."""
    with Journal(url, timeout=0.2, **way) as journal:
        with writers_held_up(url):
            running = journal.submit(entry(1))
            with pytest.raises(JournalUnavailableError, match="within"):
                journal.wait(running)
            with pytest.raises(JournalUnavailableError):
                journal.record(entry(2))
        running.result(10)
        assert [record.received_at for record in journal.records(Selection())] == [START]
        assert journal.record(entry(2))
