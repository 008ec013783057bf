"""How deleting stops: what is under way is finished, and the rest given back."""

from __future__ import annotations

import threading

from soap_handler.journal import Journal, State
from tests.inbox.deleting import QUICK, SLOW, Gap, all_done, deleters_of, errors, handle, records
from tests.inbox.servers import Call, Connection, Server, fault, right, settings
from tests.support.waiting import wait_for


def test_stopping_finishes_and_settles_the_call_in_flight(journal: Journal) -> None:
    """What EMS confirms while we stop is done, not deleted again after the next start."""
    go = threading.Event()

    def answer(call: Call, connection: Connection) -> None:
        go.wait(10)
        right(call, connection)

    handle(journal, range(3))
    with Server(answer) as server:
        deleters = deleters_of(journal, settings(server.url), QUICK)
        deleters.start()
        wait_for(lambda: len(server.calls) == 1)
        assert not deleters.stop(lambda: 0.05)
        go.set()
        assert deleters.stop(lambda: 20)
    assert all_done(journal, 3)()


def test_stopping_gives_back_what_was_not_begun(journal: Journal) -> None:
    """Another process can have it at once, and it does not count as an attempt."""
    go = threading.Event()

    def answer(call: Call, connection: Connection) -> None:
        if call.operation == "DeleteMessages":
            connection.send(500, fault(detail="<code>8</code>"))
        else:
            go.wait(10)
            right(call, connection)

    handle(journal, range(5))
    with Server(answer) as server:
        deleters = deleters_of(journal, settings(server.url), QUICK)
        deleters.start()
        wait_for(lambda: len(server.calls) == 2)
        deleters.stop(lambda: 0)
        go.set()
        assert deleters.stop(lambda: 20)
    assert all_done(journal, 1)()
    left = records(journal, State.HANDLED)
    assert [(record.leased, record.delete_attempts) for record in left] == [(False, 0)] * 4


def test_stopping_does_not_wait_for_a_back_off(journal: Journal) -> None:
    """A pause of minutes does not hold up the end of the program."""
    handle(journal, [1])
    with Server(lambda _, connection: connection.reset()) as server:
        deleters = deleters_of(journal, settings(server.url), SLOW)
        deleters.start()
        wait_for(lambda: len(errors(journal)) == 1)
        assert deleters.stop(lambda: 2)


def test_stopping_does_not_wait_for_a_gap(journal: Journal) -> None:
    """Nor does it hold up the end that the machine was left to receiving."""
    handle(journal, [1])
    with Server(right) as server:
        deleters = deleters_of(journal, settings(server.url), QUICK, admission=Gap(1000.0))
        deleters.start()
        wait_for(all_done(journal, 1))
        assert deleters.stop(lambda: 2)


def test_stopping_what_was_never_started_is_nothing(journal: Journal) -> None:
    """A program that fails while it starts stops everything all the same."""
    assert deleters_of(journal, settings("http://127.0.0.1:9/")).stop(lambda: 1)
