"""Many accounts in one process: an account with nothing to do costs nothing, and what is replaced is let go."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.inbox import client
from soap_handler.inbox.deleters import Deleters
from soap_handler.inbox.workers import Workers
from soap_handler.journal import Journal, Step
from tests.inbox.deleting import QUICK, account_of, all_done, deleters_of, handle
from tests.inbox.servers import Server, always, fault, right, settings
from tests.support.waiting import wait_for

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
    monkeypatch.setattr("soap_handler.inbox.delete_schedule.POLL_SECONDS", 1000.0)
    with Server(right) as server:
        deleters = Deleters(accounts_at(server.url), journal, QUICK)
        deleters.start()
        wait_for(lambda: len(looks) == 1)
        handle(journal, [1], "EX0000007")
        wait_for(all_done(journal, 1))
        assert deleters.stop(lambda: 10.0)
    assert len(looks) < 10


def test_few_connections_are_kept_for_many_accounts(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMS need not hold one for each account that has deleted something lately."""
    monkeypatch.setattr("soap_handler.inbox.delete_schedule._KEPT_CONNECTIONS", 2)
    with Server(right) as server:
        known = accounts_at(server.url, 10)
        deleters = Deleters(known, journal, QUICK)
        for number, account in enumerate(known):
            handle(journal, [number], account.reference)
        deleters.start()
        wait_for(all_done(journal, 10))
        wait_for(lambda: sum(bool(each._inbox._kept) for each in deleters) == 2)
        assert deleters.stop(lambda: 10.0)


def test_replaced_deleters_are_let_go(journal: Journal) -> None:
    """After a reload neither the journal nor the schedule holds those of before, with their passwords."""
    with Server(right) as server:
        deleters = deleters_of(journal, settings(server.url))
        deleters.start()
        handle(journal, [1])
        wait_for(all_done(journal, 1))
        old = weakref.ref(next(iter(deleters)))
        deleters.change(deleters.prepare([account_of(settings(server.url, secret="another"))], QUICK), 5.0)
        wait_for(lambda: gc.collect() >= 0 and old() is None)
        handle(journal, [2])
        wait_for(all_done(journal, 2))
        assert deleters.stop(lambda: 10.0)
        assert "another" in server.calls[-1].body


def test_an_idle_connection_is_not_used_again() -> None:
    """A firewall may have forgotten it, and says nothing: a call on it would only time out."""
    with Server(right) as server:
        inbox = client.Inbox("EX1", settings(server.url))
        inbox.delete(["1"])
        inbox.delete(["2"])
        assert server.connections == 1
        inbox._kept = [(since - 61, line) for since, line in inbox._kept]
        inbox.delete(["3"])
        assert server.connections == 2
        inbox.close()


def test_connections_that_are_idle_are_closed_in_time() -> None:
    """They hold places at EMS and at each firewall, and an account may have no delete for days."""
    with Server(right) as server:
        inbox = client.Inbox("EX1", settings(server.url))
        inbox.delete(["1"])
        inbox.close_idle(60)
        assert len(inbox._kept) == 1
        inbox.close_idle(0)
        assert inbox._kept == []


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


def test_threads_without_work_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are made again when there is some."""
    monkeypatch.setattr("soap_handler.inbox.workers._IDLE_SECONDS", 0.01)
    workers = Workers("test worker", 3)
    done: list[threading.Thread] = []
    for number in (1, 2, 3):
        workers.submit(lambda: done.append(threading.current_thread()))
        wait_for(partial(lambda number: len(done) == number, number))
        wait_for(lambda: not any(thread.is_alive() for thread in done))


def test_tasks_that_have_no_thread_are_given_back_at_the_end() -> None:
    """So that nothing waits for ever for what is not begun."""
    workers, gate = Workers("test worker", 1), threading.Event()
    workers.submit(gate.wait)
    wait_for(workers._tasks.empty)
    waiting: list[Callable[[], object]] = [dict, list]
    for task in waiting:
        workers.submit(task)
    assert workers.stop() == waiting
    gate.set()
