"""The server's way to wait: idle connections cost nothing, and none is forgotten."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.fast.event_loop import Poller, Sockets
from soap_handler.server.channel import Channel
from tests.support.waiting import wait_for
from tests.support.wire import Connection, envelope, message, request

if TYPE_CHECKING:
    from tests.support.service import Service


def test_idle_connections_are_not_asked_at_every_turn(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred of them are asked about as often as they came and were answered, however many turns others need."""
    asked = 0
    real = Channel.readable

    def counting(channel: Channel) -> bool:
        nonlocal asked
        asked += 1
        return bool(real(channel))

    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Connection(service.port)) for _ in range(100)]
        for connection in idle:
            assert connection.ask(request(envelope())).status == 200
        monkeypatch.setattr(Channel, "readable", counting)
        for _ in range(20):
            assert service.post(message()).status == 200
        assert asked < 20 * 20
        for connection in idle:  # and each still gets its answer
            assert connection.ask(request(envelope())).status == 200


def test_a_number_that_is_used_again_is_another_connection(service: Service) -> None:
    """The system gives a closed connection's number to the next: in turns they are told apart."""
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            for connection in [stack.enter_context(Connection(service.port)) for _ in range(20)]:
                assert connection.ask(request(message())).status == 200
        wait_for(lambda: not service.app.server._channels())


def test_a_file_that_is_not_the_servers_can_be_watched() -> None:
    """Whoever waits for it is called in a turn, until he says that it is enough."""
    poller = Poller(Sockets(), lambda: True)
    here, there = socket.socketpair()
    calls: list[str] = []
    with here, there:
        poller.watch(here.fileno(), lambda: calls.append("read"))
        poller.turn(0)
        assert calls == []
        there.send(b".")
        poller.turn(10)
        assert calls == ["read"]
        here.recv(1)
        poller.watch(here.fileno(), lambda: calls.append("write"), writing=True)
        poller.turn(10)
        assert calls == ["read", "write"]
        poller.watch(here.fileno(), None)
        there.send(b".")
        poller.turn(0)
        assert calls == ["read", "write"]


class Watch:
    """A clock that goes on by a little each time it is read."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        self.seconds += 0.00005
        return self.seconds


class Noting:
    """The system's poll, which notes how long each call was ready to wait, and makes the watch tell of it."""

    def __init__(self, poll: Any, watch: Watch) -> None:
        self._poll = poll
        self._watch = watch
        self.waits: list[int] = []

    def poll(self, wait: int) -> list[tuple[int, int]]:
        self.waits.append(wait)
        happened: list[tuple[int, int]] = self._poll.poll(0)
        if not happened:
            self._watch.seconds += wait / 1000
        return happened


@pytest.mark.parametrize("idle", [True, False])
def test_a_loop_stays_awake_for_a_moment_only_behind_a_short_wait(*, idle: bool) -> None:
    """Who waits for callers alone looks several times before it sleeps, unless the last call was long in coming."""
    watch = Watch()
    poller = Poller(Sockets(), lambda: True, lambda: idle, watch)
    here, there = socket.socketpair()
    with here, there:
        calls: list[bytes] = []
        poller.watch(here.fileno(), lambda: calls.append(here.recv(1)))
        noting = poller._poll = Noting(poller._poll, watch)  # type: ignore[assignment] # in place of the system's
        waits = []
        for called in (True, False, False, True, True):
            if called:
                there.send(b".")
            noting.waits = []
            poller.turn(0.5)
            waits.append(noting.waits)
    sleeps = [500]
    assert waits == [sleeps, [0, 0, 500] if idle else sleeps, sleeps, sleeps, [0] if idle else sleeps]


class Reader:
    """Stands in the server's map, and reads when it is told to."""

    accepting = False

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self.ready = True
        self.read = 0

    def readable(self) -> bool:
        return self.ready

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self.read += len(self._socket.recv(100))


def test_who_has_a_request_in_hand_and_hangs_up_is_not_attended_to_again_and_again() -> None:
    """That there is more to read, or nobody to answer, is noted once; the turns go on to wait for something else."""
    sockets = Sockets()
    poller = Poller(sockets, lambda: True)
    here, there = socket.socketpair()
    with here, there:
        reader = sockets[here.fileno()] = Reader(here)
        there.send(b"1")
        poller.turn(10)
        reader.ready = False
        there.close()
        poller.turn(0)
        began = time.monotonic()
        poller.turn(0.2)
        assert time.monotonic() - began > 0.1
        assert reader.read == 1
        del sockets[here.fileno()]
        poller.turn(0)


def test_who_has_a_request_in_hand_is_not_read_from() -> None:
    """What comes behind it is left with the caller until it is answered, in turns with a rest and without one."""
    sockets = Sockets()
    poller = Poller(sockets, lambda: True)
    here, there = socket.socketpair()
    with here, there:
        reader = sockets[here.fileno()] = Reader(here)
        there.send(b"1")
        poller.turn(10)
        there.send(b"2")
        poller.turn(0)
        assert reader.read == 2, "it still waited"
        reader.ready = False
        there.send(b"3")
        for timeout in (0, 0, 0.001, 0):
            poller.turn(timeout)
        assert reader.read == 2
        reader.ready = True
        poller.turn(10)
        assert reader.read == 3
        del sockets[here.fileno()]
        poller.turn(0)
