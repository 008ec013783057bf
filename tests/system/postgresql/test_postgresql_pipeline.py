"""A loop sends its pushes to PostgreSQL by itself: it waits for nothing, and what can go wrong goes as it ever did."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from waitress import wasyncore

from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.fast import push_connection
from soap_handler.fast.postgresql_pipeline import PipelinedCommit
from soap_handler.journal import Entry, Journal, Selection, Source
from tests.journal.engines import writers_held_up
from tests.journal.entries import START, entry, message
from tests.journal.ways import FAST
from tests.support.waiting import wait_for
from tests.system.postgresql.test_commits import REFUSE_LATE, last_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Engine

    from tests.journal.engines import PostgreSQL
    from tests.system.postgresql.server import StoppableServer

HERE = threading.current_thread().name


class Loop:
    """A loop in the test's own thread, waitress's, with no other socket; it notes which thread ends a commit."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.sockets: dict[int, Any] = {}
        self.wrote = False
        assert isinstance(journal.committer, PipelinedCommit)
        self._pipeline = journal.committer
        self._pipeline.attach(self.sockets)

    def detach(self) -> None:
        self._pipeline.detach()
        assert self.sockets == {}

    def turn(self) -> None:
        self.wrote = self.wrote or any(each.writable() for each in self.sockets.values())
        if self.sockets:
            wasyncore.loop(timeout=0.01, use_poll=True, map=self.sockets, count=1)

    def submit(self, *entries: Entry) -> tuple[Future[list[bool]], list[str]]:
        """Hand in entries; return the commit, and a list that will name the thread that ended it."""
        ended_by: list[str] = []
        commit = self.journal.submit_all(entries)
        commit.add_done_callback(lambda _: ended_by.append(threading.current_thread().name))
        return commit, ended_by

    def settle(self, *commits: Future[list[bool]], seconds: float = 20) -> None:
        self.turn_until(lambda: all(commit.done() for commit in commits), seconds)

    def turn_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            if not self.sockets:
                time.sleep(0.001)
            self.turn()

    def record(self, *entries: Entry) -> tuple[list[bool], list[str]]:
        commit, ended_by = self.submit(*entries)
        self.settle(commit)
        wait_for(lambda: bool(ended_by))
        return commit.result(0), ended_by

    def connect(self) -> None:
        """Record the same entry until it is the loop that sends it; the thread notes the duplicate, and answers."""
        wait_for(self._is_connected)

    def _is_connected(self) -> bool:
        commit, ended_by = self.submit(entry(0))
        self.settle(commit)
        wait_for(lambda: bool(ended_by))
        return commit.exception(0) is None and bool(self.sockets)


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.database()


@pytest.fixture
def loop(url: str) -> Iterator[Loop]:
    """Attend a loop until it is connected."""
    with Journal(url, **FAST) as journal:
        loop = Loop(journal)
        loop.connect()
        yield loop
        loop.detach()


def stored(journal: Journal) -> int:
    return len(journal.records(Selection()))


def test_what_a_loop_hands_in_is_committed_when_it_is_told(loop: Loop) -> None:
    """The listeners know, and no other thread has had a part in it."""
    heard: list[str] = []
    loop.journal.listen(lambda: heard.append(threading.current_thread().name))
    assert loop.record(entry(1), entry(2)) == ([True, True], [HERE])
    assert heard == [HERE]
    assert stored(loop.journal) == 3


def test_duplicates_are_noted_by_the_thread(loop: Loop) -> None:
    """What a duplicate says may have to be noted before it is answered; what was new beside it is told as new."""
    heard: list[str] = []
    loop.journal.listen(lambda: heard.append(threading.current_thread().name))
    assert loop.record(entry(1), entry(2), entry(1)) == ([True, True, False], ["journal"])
    assert heard[0] == HERE
    assert loop.record(entry(2), entry(3), entry(0)) == ([False, True, False], ["journal"])
    assert stored(loop.journal) == 4


def test_what_the_pipeline_cannot_store_whole_goes_to_the_thread(loop: Loop) -> None:
    """Further notifications of a request, and what an earlier release recorded of a repaired one, are the thread's."""
    several = replace(entry(1), others=(entry(2), entry(3)))
    assert loop.record(several) == ([True], ["journal"])
    assert stored(loop.journal) == 4
    before = replace(entry(5), envelope=b"<kept/>")
    repaired = replace(before, notification=replace(before.notification, digest="0" * 32))
    assert loop.record(before) == ([True], [HERE])
    assert loop.record(repaired) == ([False], ["journal"])
    assert stored(loop.journal) == 5
    assert loop.record(entry(6)) == ([True], [HERE])


def test_a_row_is_the_same_whether_it_was_sent_or_not(loop: Loop, beside: Engine) -> None:
    """The pipeline's statement fills each column as the thread's does."""
    rows = []
    full = Entry(replace(message(1), body="é\n\u20ac %s \\ 'x'"), START, Source.INBOX, b"\0<envelope>")
    for record in (loop.record, loop.journal.record):
        record(full)
        with beside.connect() as connection:
            row = connection.execute(
                text("SELECT * FROM notification WHERE key = :key"), {"key": full.notification.key}
            )
            found = dict(row.mappings().one())
            assert found["due_at"] > found["received_at"], "it is due when it is stored, whatever received_at says"
            rows.append({**found, "seq": None, "due_at": None})
            connection.execute(text("DELETE FROM notification WHERE key = :key"), {"key": full.notification.key})
    assert rows[0] == rows[1]


def test_only_the_loops_own_thread_sends(loop: Loop) -> None:
    """Who waits in another thread, such as a reconciliation, could not be told by a loop that has stopped."""
    answers: list[list[bool]] = []
    other = threading.Thread(target=lambda: answers.append(loop.journal.record_all([entry(1)])))
    other.start()
    other.join(20)
    assert answers == [[True]]


def test_the_loop_waits_for_nobody(loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database does not answer, each call returns at once; what came meanwhile goes in one statement."""
    monkeypatch.setattr(push_connection, "LATE_SECONDS", 60.0)
    heard: list[str] = []
    loop.journal.listen(lambda: heard.append("a commit"))
    with writers_held_up(url):
        commits = [loop.submit(entry(number))[0] for number in range(1, 9)]
        loop.turn()
        assert not any(commit.done() for commit in commits)
    loop.settle(*commits)
    assert [commit.result(0) for commit in commits] == [[True]] * 8
    assert len(heard) == 2
    assert stored(loop.journal) == 9


def test_behind_an_answer_that_is_late_nobody_waits(loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's thread has a connection of its own, which may work where the other one hangs."""
    monkeypatch.setattr(push_connection, "LATE_SECONDS", 0.0)
    with writers_held_up(url):
        first, first_by = loop.submit(entry(1))
        second, second_by = loop.submit(entry(2))
    assert second.result(20) == [True]
    loop.settle(first)
    assert (first_by, second_by) == ([HERE], ["journal"])
    assert stored(loop.journal) == 3


def test_more_than_the_server_takes_at_once_is_sent_bit_by_bit(
    loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a server that has not read what was sent."""
    monkeypatch.setattr(push_connection, "LATE_SECONDS", 60.0)
    with writers_held_up(url):
        first, _ = loop.submit(entry(1))
        large = [Entry(replace(message(number), body="b" * 500_000), START) for number in range(2, 40)]
        second, by = loop.submit(*large)
    loop.settle(first, second, seconds=60)
    assert second.result(0) == [True] * len(large)
    assert by == [HERE]
    assert loop.wrote
    assert stored(loop.journal) == 2 + len(large)


@pytest.mark.parametrize("together", [False, True])
def test_what_is_at_fault_spoils_nothing_else(
    loop: Loop, url: str, beside: Engine, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """It fails alone, whether it was sent alone or with others; the loop sends again soon."""
    monkeypatch.setattr(push_connection, "LATE_SECONDS", 60.0)
    with beside.connect() as connection:
        for statement in REFUSE_LATE:
            connection.execute(text(statement))
    refused = Entry(message(7, originator="refused"), START)
    batches: Sequence[Sequence[Entry]] = [[entry(1)], [entry(2), refused], [entry(3)]]
    if together:
        with writers_held_up(url):
            commits = [loop.submit(*batch)[0] for batch in batches]
        loop.settle(*commits)
    else:
        commits = []
        for batch in batches:
            commits.append(loop.submit(*batch)[0])
            loop.settle(*commits)
    with pytest.raises(JournalRefusedError, match="too late"):
        commits[1].result(0)
    assert commits[0].result(0) == commits[2].result(0) == [True]
    assert stored(loop.journal) == 3
    loop.connect()


def test_a_connection_that_is_cut_under_way_is_a_failure(loop: Loop, url: str, beside: Engine) -> None:
    """Nobody knows whether it was committed. What had not been sent goes through, and the loop sends again soon."""
    with writers_held_up(url):
        first, _ = loop.submit(entry(1))
        second, by = loop.submit(entry(2))
        with beside.connect() as connection:
            held_up = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'soap_handler'"
            wait_for(lambda: connection.execute(text(f"SELECT count(*) {held_up}")).scalar() == 1)
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {held_up}"))
        loop.settle(first)
    with pytest.raises(JournalUnavailableError):
        first.result(0)
    assert second.result(20) == [True]
    assert by == ["journal"]
    assert loop.record(entry(1))[0] == [True]
    loop.connect()


def test_connections_that_are_cut_while_nothing_is_under_way_cost_nothing(loop: Loop, beside: Engine) -> None:
    """As by a server that is started again at night: the loop is told of it, and the next push finds new ones."""
    with beside.connect() as connection:
        sessions = "FROM pg_stat_activity WHERE application_name = 'soap_handler'"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {sessions}"))
        wait_for(lambda: connection.execute(text(f"SELECT count(*) {sessions}")).scalar() == 0)
    loop.turn_until(lambda: not loop.sockets)
    assert loop.record(entry(1)) == ([True], ["journal"])
    loop.connect()


def test_a_server_that_is_started_again_is_used_again(stoppable: StoppableServer) -> None:
    """Whatever was answered before is there."""
    with Journal(stoppable.database(), **FAST) as journal:
        loop = Loop(journal)
        loop.connect()
        assert loop.record(entry(1)) == ([True], [HERE])
        stoppable.stop()
        commit, _ = loop.submit(entry(2))
        loop.settle(commit)
        assert isinstance(commit.exception(0), JournalUnavailableError)
        stoppable.start()
        loop.connect()
        assert loop.record(entry(1), entry(2)) == ([False, True], ["journal"])
        loop.detach()


def test_the_end_of_the_loop_answers_everybody(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way then fails, though it may be stored; what was not sent is left to the thread."""
    monkeypatch.setattr(push_connection, "LATE_SECONDS", 60.0)
    with Journal(url, **FAST) as journal:
        loop = Loop(journal)
        loop.connect()
        with writers_held_up(url):
            first, _ = loop.submit(entry(1))
            second, by = loop.submit(entry(2))
            loop.detach()
            assert isinstance(first.exception(0), JournalUnavailableError)
        assert second.result(20) == [True]
        assert by == ["journal"]


def test_a_statement_that_is_sent_needs_no_transaction(loop: Loop, beside: Engine) -> None:
    """One round trip: no session has begun or committed anything for it."""
    assert loop.record(entry(1)) == ([True], [HERE])
    assert "INSERT" in last_statements(beside)
