"""Request batching: shared commits, each caller's own answer, and no waiting behind what is slow."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING

from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.settings import ServerSettings
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import Connection, message, request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from soap_handler.faces.base import Exchange, Request
    from tests.support.service import Service
    from tests.support.wire import Answer


def fault_code(answer: Answer) -> str | None:
    return answer.fault[0] if answer.fault else None


def push(**values: str) -> bytes:
    return request(message(id=str(uuid.uuid4()), **values))


def test_one_that_cannot_be_stored_spoils_no_other(tmp_path: Path) -> None:
    """Of requests that share a commit, the one at fault is refused, and the others are stored and confirmed."""
    with serving(settings_for(tmp_path)) as service, contextlib.ExitStack() as stack:
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute(
                "CREATE TRIGGER refusal BEFORE INSERT ON notification WHEN NEW.originator = 'refused' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
            connections = [stack.enter_context(Connection(service.port)) for _ in range(8)]
            other.execute("BEGIN EXCLUSIVE")
            for number, connection in enumerate(connections):
                connection.send(push(originator="refused" if number == 3 else "447700900123"))
            wait_for(lambda: len(service.submitted) == len(connections))
            other.execute("ROLLBACK")
        answers = [connection.answer() for connection in connections]
    assert [fault_code(answer) for answer in answers] == [None, None, None, "Server", None, None, None, None]


def test_commits_that_fail_are_answered_by_faults_to_each(tmp_path: Path) -> None:
    """While the journal is locked, every request of every batch gets a Server fault; afterwards it is stored."""
    bodies = [push() for _ in range(6)]
    with serving(settings_for(tmp_path, commit_within=0.3)) as service, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(service.port)) for _ in bodies]
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for connection, body in zip(connections, bodies, strict=True):
                connection.send(body)
            assert [fault_code(connection.answer()) for connection in connections] == ["Server"] * len(bodies)
            other.execute("ROLLBACK")
        for connection, body in zip(connections, bodies, strict=True):
            connection.send(body)
        assert [connection.answer().confirms for connection in connections] == ["MessageReceived"] * len(bodies)


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    """Usual and unusual ones on one connection, sent at once, are answered one after the other."""
    usual, odd = push(), request(message(id=str(uuid.uuid4()), sentat="yesterday"))
    broken, page = request(b"<"), request(start="GET /AccountEventHandler HTTP/1.1")
    with Connection(service.port) as connection:
        connection.send(usual + odd + page + usual + broken)
        assert connection.answer().confirms == "MessageReceived"
        assert connection.answer().confirms == "MessageReceived"
        assert connection.answer().status == 200
        assert connection.answer().confirms == "MessageReceived"
        assert fault_code(connection.answer()) == "Client"  # which ends the connection


def test_wrong_passwords_are_refused_in_the_loop(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their places between right ones, and no thread is woken for them."""
    monkeypatch.setattr(Endpoint, "prepare", None)
    wrong = push().replace(b"s3cret", b"guess!")
    with Connection(service.port) as connection:
        connection.send(push() + wrong + wrong + push())
        assert [fault_code(connection.answer()) for _ in range(4)] == [None, "Client", "Client", None]
    assert service.app.accounts.refused == 2


def test_what_is_slow_holds_up_no_other(tmp_path: Path) -> None:
    """While every thread waits for the journal with an unusual request, the loop still takes in what arrives."""
    settings = settings_for(tmp_path, server=ServerSettings(port=0, threads=1))
    with serving(settings) as service, contextlib.ExitStack() as stack:
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            slow = stack.enter_context(Connection(service.port))
            slow.send(request(message(id=str(uuid.uuid4()), sentat="yesterday")))
            wait_for(lambda: len(service.submitted) == 1)
            usual = stack.enter_context(Connection(service.port))
            usual.send(push())
            wait_for(lambda: len(service.submitted) == 2)
            other.execute("ROLLBACK")
        assert slow.answer().confirms == usual.answer().confirms == "MessageReceived"


def test_a_caller_that_has_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its notification is stored, its answer is dropped, and the others get theirs."""
    with serving(settings_for(tmp_path)) as service:
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with Connection(service.port) as gone:
                gone.send(push())
                wait_for(lambda: len(service.submitted) == 1)
            other.execute("ROLLBACK")
        wait_for(lambda: len(service.handled) == 1)
        with Connection(service.port) as connection:
            connection.send(push())
            assert connection.answer().confirms == "MessageReceived"


def test_a_defect_of_batch_reading_leaves_the_general_way(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """When reading a usual push breaks, the loop goes on, and the push is served all the same."""

    def broken(*_: object) -> None:
        raise TypeError

    monkeypatch.setattr(UsualPushes, "__call__", broken)
    with Connection(service.port) as connection:
        for _ in range(2):
            connection.send(push())
            assert connection.answer().confirms == "MessageReceived"


def test_a_defect_over_one_request_leaves_the_others_of_its_batch_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of requests that are read together, only the one over which something breaks takes the general way."""
    generally: list[bytes] = []
    sent = threading.Event()
    prepare, read_many = Endpoint.prepare, UsualPushes.__call__

    def noted(endpoint: Endpoint, request: Request) -> Exchange:
        generally.append(request.body)
        return prepare(endpoint, request)

    def broken(pushes: UsualPushes, requests: Sequence[Request]) -> list[Exchange | None]:
        bodies = [each.body for each in requests]
        if any(b"first" in body for body in bodies):
            assert sent.wait(10)  # the loop stands still until the others have sent theirs
        if any(b"broken" in body for body in bodies):
            raise TypeError
        return read_many(pushes, requests)

    monkeypatch.setattr(Endpoint, "prepare", noted)
    monkeypatch.setattr(UsualPushes, "__call__", broken)
    with serving(settings_for(tmp_path)) as service, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Connection(service.port)) for _ in range(8)]
        for connection in connections:  # whose credentials are known from now on
            connection.send(push())
            assert connection.answer().confirms == "MessageReceived"
        originators = ["first", "2", "3", "broken", "5", "6", "7", "8"]
        for connection, originator in zip(connections, originators, strict=True):
            connection.send(push(originator=originator))
        sent.set()
        assert [connection.answer().confirms for connection in connections] == ["MessageReceived"] * len(connections)
    assert [b"broken" in body for body in generally] == [True]


def test_many_callers_at_once_all_get_their_own_answer(service: Service) -> None:
    """Each of many connections is confirmed exactly as often as it pushed, in the operation that it pushed."""
    kinds = ["MessageReceived", "MessageEvent", "MessageError"]
    confirmed: list[str] = []

    def call(kind: str) -> None:
        with Connection(service.port) as connection:
            for _ in range(20):
                connection.send(request(message(kind, id=str(uuid.uuid4()))))
                confirmed.append(f"{kind}:{connection.answer().confirms}")

    callers = [threading.Thread(target=call, args=(kinds[number % 3],)) for number in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sorted(confirmed) == sorted(f"{kind}:{kind}" for kind in kinds for _ in range(80))
