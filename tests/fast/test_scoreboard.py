"""Which of the processes that share a port takes a connection: by what they tell each other, and with real sockets."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from soap_handler.fast import event_loop as polling
from soap_handler.fast.scoreboard import GATHERED, Board, Place
from soap_handler.server.server import Server
from soap_handler.server.supervisor import listen
from soap_handler.settings import ServerSettings
from tests.support.waiting import wait_for
from tests.support.wire import Connection, request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    import pytest

COUNTS = st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=8)
"""How many connections each process has; none where there is no process."""


def board_of(counts: list[int | None], gathered: int = GATHERED) -> Board:
    board = Board(len(counts), gathered)
    for number, count in enumerate(counts):
        if count is not None:
            Place(board, number).note_connections(count)
    return board


def next_of(board: Board, counts: list[int | None]) -> set[int]:
    """Return the places that may take the next connection, of those that are there."""
    return {number for number, count in enumerate(counts) if count is not None and Place(board, number).is_next}


def test_the_first_connections_come_together() -> None:
    """One process gets so many before the next one gets any, since their requests then share a commit."""
    full = GATHERED
    assert next_of(board_of([0, 0, 0]), [0, 0, 0]) == {0}
    assert next_of(board_of([full - 1, 0, 0]), [full - 1, 0, 0]) == {0}
    assert next_of(board_of([full, 0, 0]), [full, 0, 0]) == {1}
    assert next_of(board_of([full, full, 3]), [full, full, 3]) == {2}


@given(COUNTS)
def test_whoever_is_there_somebody_is_next(counts: list[int | None]) -> None:
    """No connection is left by all, and nobody gets far more than another."""
    there = [count for count in counts if count is not None]
    chosen = next_of(board_of(counts), counts)
    assert bool(chosen) == bool(there)
    if there and min(there) >= GATHERED:
        assert all((counts[number] or 0) < min(there) + 16 for number in chosen)
    elif there:
        assert len(chosen) == 1


def test_nobody_counts_on_a_process_that_is_gone() -> None:
    """What it had before does not matter: the next ones take its connections."""
    board = board_of([3, 5])
    assert Place(board, 0).is_next
    board.leave(0)
    assert Place(board, 1).is_next
    Place(board, 1).leave()
    assert next_of(board, [None, None]) == set()


def test_where_few_connections_are_allowed_fewer_come_together() -> None:
    """A process must not cut connections for want of room while another one has room."""
    assert next_of(board_of([4, 0], gathered=4), [4, 0]) == {1}


def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read the body, as a good application does, and answer."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@contextlib.contextmanager
def sharing(board: Board, places: Iterable[int]) -> Iterator[dict[int, Server]]:
    """Run servers on one listening socket."""
    (listening,) = listen("127.0.0.1", 0)
    settings = ServerSettings(host="127.0.0.1", port=0)
    servers = {
        number: Server(answer, settings, sockets=[listening.dup()], place=Place(board, number)) for number in places
    }
    threads = [threading.Thread(target=server.run, args=(1,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    try:
        yield servers
    finally:
        for server in servers.values():
            server.stop()
        for thread in threads:
            thread.join()
        listening.close()


def connections(server: Server) -> int:
    return len(server._channels())


def test_a_connection_is_left_to_whom_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that share a port: while the first has room, the second takes nothing."""
    monkeypatch.setattr(polling, "_LEFT", 60.0)  # seconds: nobody is that late here
    board = Board(2, gathered=5)
    with sharing(board, (0, 1)) as servers, contextlib.ExitStack() as stack:
        wait_for(lambda: all(board.connections))
        for _ in range(5):
            connection = stack.enter_context(Connection(servers[0].port))
            assert connection.ask(request(b"x")).status == 200
        assert [connections(server) for server in servers.values()] == [5, 0]


def test_whoever_is_next_takes_a_connection_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first has no room, nobody waits until it has left the connection."""
    monkeypatch.setattr(polling, "_LEFT", 60.0)  # seconds: longer than a client waits
    board = Board(2, gathered=5)
    Place(board, 0).note_connections(5)
    with sharing(board, [1]) as servers, contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(Connection(servers[1].port))
            assert connection.ask(request(b"x")).status == 200
        wait_for(lambda: list(board.connections) == [6, 6])


def test_what_is_left_too_long_is_taken_by_another() -> None:
    """A process that hangs, or is too busy to accept, costs a connection a moment and nothing else."""
    board = Board(2)
    Place(board, 0).note_connections(0)  # it says that it has room, and never comes
    with sharing(board, [1]) as servers, contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(Connection(servers[1].port))
            assert connection.ask(request(b"x")).status == 200
        assert connections(servers[1]) == 5


def test_a_server_that_stops_leaves_its_place() -> None:
    """Nobody leaves a connection to one that accepts no more; what closes is seen too."""
    board = Board(2)
    with sharing(board, [0]) as servers:
        with Connection(servers[0].port) as connection:
            assert connection.ask(request(b"x")).status == 200
            wait_for(lambda: board.connections[0] == 2)
        wait_for(lambda: board.connections[0] == 1)
    assert board.connections[0] == 0


def test_many_that_connect_at_once_are_accepted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst from many connections does not wait until as many turns of the loop have passed."""
    many, turns = 100, 0
    real = polling.Poller.turn
    begin = threading.Event()

    def counting(poller: polling.Poller, timeout: float) -> None:
        nonlocal turns
        begin.wait(10)
        real(poller, timeout)
        turns += 1

    with sharing(Board(1), [0]) as servers, contextlib.ExitStack() as stack:
        monkeypatch.setattr(polling.Poller, "turn", counting)
        stack.enter_context(Connection(servers[0].port))
        for _ in range(many):
            stack.enter_context(Connection(servers[0].port))
        begin.set()
        wait_for(lambda: connections(servers[0]) == many + 1)
        assert turns < many / 4
