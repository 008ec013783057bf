"""Many accounts in one process: an account with nothing to do costs nothing, and what is replaced is let go."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.inbox import Inbox
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.deleters import Deleters
from soap_handler.inbox.workers import Workers
from soap_handler.journal import Journal, Step
from tests.inbox.deleting import QUICK, account_of, all_done, deleters_of, handle
from tests.inbox.servers import Call, Connection, Server, always, fault, http, response, right, settings
from tests.support.events import captured_events
from tests.support.waiting import wait_for, wait_until_let_go

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.accounts.authentication import Account

COUNT: Final = 300


def accounts_at(url: str, count: int = COUNT) -> list[Account]:
    return [account_of(settings(url), f"EX{number:07d}") for number in range(count)]


def test_only_accounts_with_something_to_delete_are_served(journal: Journal) -> None:
    """Three of three hundred: three calls, and threads and clients for no more than these."""
    busy = ["EX0000007", "EX0000100", "EX0000299"]
    for number, account in enumerate(busy):
        handle(journal, [number], account)
    before = threading.active_count()
    with Server(right) as server:
        deleters = Deleters(accounts_at(server.url), journal, QUICK)
        deleters.start()
        wait_for(all_done(journal, 3))
        assert threading.active_count() <= before + 1 + len(busy) + 1 + server.connections
        assert deleters.stop(lambda: 10.0)
        assert len(server.calls) == 3


def test_a_commit_has_one_look_made_for_all_accounts(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, they are not asked one by one whether there is something to delete."""
    looks: list[dict[str, datetime]] = []
    look = journal.next_deletions

    def counted() -> dict[str, datetime]:
        looks.append(look())
        return looks[-1]

    monkeypatch.setattr(journal, "next_deletions", counted)
    with Server(right) as server:
        deleters = Deleters(accounts_at(server.url), journal, QUICK, poll_seconds=1000.0)
        deleters.start()
        wait_for(lambda: len(looks) == 1)
        handle(journal, [1], "EX0000007")
        wait_for(all_done(journal, 1))
        assert deleters.stop(lambda: 10.0)
    assert len(looks) < 10


def test_accounts_share_connections() -> None:
    """EMS has one address for all: a handshake of TLS for each of a thousand accounts would cost more than its call."""
    with Server(right) as server:
        shared = Connections()
        for number in range(5):
            Inbox(f"EX{number}", settings(server.url), shared).delete(["1"])
        shared.close()
    assert (len(server.calls), server.connections) == (5, 1)
    assert [f"EX{number}" in call.body for number, call in enumerate(server.calls)] == [True] * 5


def test_an_inbox_of_another_address_has_another_connection() -> None:
    """The pool lends only what leads there, by the same proxy and with the same roots."""
    with Server(right) as one, Server(right) as another:
        shared = Connections()
        for server in (one, another, one):
            Inbox("EX1", settings(server.url), shared).delete(["1"])
        shared.close()
    assert [(len(each.calls), each.connections) for each in (one, another)] == [(2, 1), (1, 1)]


def test_no_cookie_of_one_account_goes_with_the_call_of_another() -> None:
    """They share connections, and a cookie may stand for a login."""

    def answer(_: Call, connection: Connection) -> None:
        connection.socket.sendall(http(200, response("DeleteMessage"), "Set-Cookie: ASP.NET_SessionId=4711; path=/"))

    with Server(answer) as server:
        shared = Connections()
        for account in ("EX1", "EX2"):
            Inbox(account, settings(server.url), shared).delete(["1"])
        shared.close()
    assert server.connections == 1
    assert not any("4711" in str(call) for call in server.calls)


def test_few_connections_are_kept_for_many_accounts(journal: Journal) -> None:
    """EMS need not hold one for each call that was made at once."""
    gate = threading.Barrier(5, timeout=10)

    def together(call: Call, connection: Connection) -> None:
        gate.wait()
        right(call, connection)

    with Server(together) as server:
        known = accounts_at(server.url, 5)
        deleters = Deleters(known, journal, QUICK, connections=Connections(most_idle=2))
        for number, account in enumerate(known):
            handle(journal, [number], account.reference)
        deleters.start()
        wait_for(all_done(journal, 5))
        wait_for(lambda: deleters.connections.idle == 2)
        assert deleters.stop(lambda: 10.0)
        assert deleters.connections.idle == 0


def test_replaced_deleters_are_let_go(journal: Journal) -> None:
    """After a reload neither the journal nor the schedule holds those of before, with their passwords."""
    with Server(right) as server:
        deleters = deleters_of(journal, settings(server.url))
        deleters.start()
        handle(journal, [1])
        wait_for(all_done(journal, 1))
        old = weakref.ref(next(iter(deleters)))
        deleters.change(deleters.prepare([account_of(settings(server.url, secret="another"))], QUICK), 5.0)
        wait_until_let_go(old)
        handle(journal, [2])
        wait_for(all_done(journal, 2))
        assert deleters.stop(lambda: 10.0)
        assert "another" in server.calls[-1].body


@pytest.mark.parametrize(("idle_seconds", "connections"), [(60.0, 1), (0.0, 2)])
def test_a_connection_that_was_idle_for_long_is_not_used_again(idle_seconds: float, connections: int) -> None:
    """A firewall may have forgotten it, and says nothing: a call on it would only time out."""
    with Server(right) as server:
        shared = Connections(idle_seconds=idle_seconds)
        inbox = Inbox("EX1", settings(server.url), shared)
        inbox.delete(["1"])
        inbox.delete(["2"])
        assert server.connections == connections
        shared.close()


def test_connections_that_are_idle_are_closed_in_time(journal: Journal) -> None:
    """They hold places at EMS and at each firewall, and an account may have no delete for days."""
    with Server(right) as server:
        shared = Connections(idle_seconds=0.5)
        deleters = deleters_of(journal, settings(server.url), connections=shared, poll_seconds=0.05)
        deleters.start()
        handle(journal, [1])
        wait_for(all_done(journal, 1))
        wait_for(lambda: shared.idle == 0)
        assert deleters.stop(lambda: 10.0)


@pytest.mark.parametrize("times", [5])
def test_deletes_that_fail_alike_are_one_row(journal: Journal, times: int) -> None:
    """First, last and count: an inbox that is down for days does not fill the journal."""
    handle(journal, [1])
    with Server(always(500, fault(detail="<code>11</code>"))) as server:
        deleters = deleters_of(journal, settings(server.url))
        deleters.start()
        wait_for(lambda: len(server.calls) >= times)
        server.answer = always(500, "<html/>")
        wait_for(lambda: any("HTTP 500" in (each.error or "") for _, each in journal.attempts()))
        server.answer = right
        wait_for(all_done(journal, 1))
        assert deleters.stop(lambda: 10.0)
    history = [each for _, each in journal.attempts() if each.step is Step.DELETE]
    assert [each.outcome for each in history] == ["failed", "failed", "ok"]
    assert history[0].times >= times
    assert history[0].started_at < history[0].ended_at <= history[1].started_at
    assert sum(each.times for each in history) == len(server.calls)


# -- worker threads --


def test_threads_are_made_as_needed_up_to_a_number() -> None:
    """What has no thread yet waits for one."""
    workers, gate, running = Workers("test worker", 3), threading.Event(), []

    def task() -> None:
        running.append(threading.current_thread())
        gate.wait(10)

    for _ in range(7):
        workers.submit(task)
    wait_for(lambda: len(running) == 3)
    gate.set()
    wait_for(lambda: len(running) == 7)
    assert len(set(running)) == 3
    assert workers.stop() == []
    for thread in set(running):
        thread.join(10)
        assert not thread.is_alive()


def test_where_the_system_has_no_thread_left_tasks_are_carried_out_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing waits for ever for a thread that was refused, and the next one is asked for again."""
    start, refused = threading.Thread.start, True

    def limited(thread: threading.Thread) -> None:
        if refused and thread.name == "test worker":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    workers, by = Workers("test worker", 3), list[str]()
    with captured_events() as events:
        workers.submit(lambda: by.append(threading.current_thread().name))
    assert by == [threading.current_thread().name]
    assert [event["event"] for event in events] == ["inbox_thread_not_started"]
    refused = False
    workers.submit(lambda: by.append(threading.current_thread().name))
    wait_for(lambda: by[1:] == ["test worker"])
    workers.stop()


def test_threads_without_work_end() -> None:
    """And are made again when there is some."""
    workers = Workers("test worker", 3, idle_seconds=0.01)
    done: list[threading.Thread] = []
    for number in (1, 2, 3):
        workers.submit(lambda: done.append(threading.current_thread()))
        wait_for(partial(lambda number: len(done) == number, number))
        wait_for(lambda: not any(thread.is_alive() for thread in done))


def test_tasks_that_have_no_thread_are_given_back_at_the_end() -> None:
    """So that nothing waits for ever for what is not begun."""
    workers, begun, gate = Workers("test worker", 1), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        gate.wait(10)

    workers.submit(first)
    assert begun.wait(10)
    waiting: list[Callable[[], object]] = [dict, list]
    for task in waiting:
        workers.submit(task)
    assert workers.stop() == waiting
    gate.set()
