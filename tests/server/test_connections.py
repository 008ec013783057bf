"""Slow senders, idle connections and too many of them: cut or bounded, while honest callers are served."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.server import open_files
from soap_handler.server.connection_limits import Limits
from soap_handler.settings import ServerSettings
from tests.support.events import captured_events
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import Connection, envelope, message, request

if TYPE_CHECKING:
    from collections.abc import Iterator

HONEST: Final = 100  # requests that are measured


def behind(folder: Path, **server: object) -> contextlib.AbstractContextManager[Service]:
    values = {"port": 0, "drain_timeout": 5, **server}
    return serving(settings_for(folder, server=ServerSettings.model_validate(values)))


# -- over the wire ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [request(envelope())[:50], request(envelope())[:-5], b"P"])
def test_a_request_that_drips_is_cut_when_its_time_is_over(tmp_path: Path, sent: bytes) -> None:
    """However steadily the bytes come: the whole time counts, not the pause between two bytes."""
    with behind(tmp_path, request_timeout=0.6) as service, Connection(service.port) as connection:
        connection.send(sent)
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() < begun + 5:
                connection.socket.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if connection.socket.recv(1) == b"":
                        break
                connection.socket.send(b"x" if b"Length" not in sent else b"")
        assert 0.5 < time.monotonic() - begun < 3


def test_an_idle_connection_is_closed_after_its_time(tmp_path: Path) -> None:
    """One that never asked, and one that was answered long ago."""
    with behind(tmp_path, idle_timeout=0.5) as service:
        with Connection(service.port) as silent:
            assert silent.at_end
        with Connection(service.port) as used:
            assert used.ask(request(envelope())).status == 200
            begun = time.monotonic()
            assert used.at_end
            assert time.monotonic() - begun > 0.3


def test_a_connection_in_use_is_kept_for_long(tmp_path: Path) -> None:
    """Each request has its own time; a connection may live through many."""
    with behind(tmp_path, idle_timeout=0.8, request_timeout=0.8) as service, Connection(service.port) as connection:
        begun = time.monotonic()
        while time.monotonic() < begun + 2:
            assert connection.ask(request(envelope())).status == 200


def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    """With all places taken by the idle, a new caller is served, and the one that was idle longest is closed."""
    with behind(tmp_path, connections=10) as service, captured_events() as logged:
        idle = [Connection(service.port) for _ in range(10)]
        for number in range(30):
            with Connection(service.port) as honest:
                assert honest.ask(request(message(), f"X-Number: {number}")).status == 200
        assert idle[0].at_end
        for each in idle:
            each.close()
    reasons = {line["reason"] for line in logged if line["event"] == "connections_cut"}
    assert reasons == {"too_many_connections"}


@contextlib.contextmanager
def flood(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Hold 500 connections open, half of them silent and half dripping."""
    command = [sys.executable, str(Path(__file__).with_name("flood.py")), str(port), "500"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"flooding\n"
            yield process
        finally:
            process.stdin.close()
            process.wait(10)


def median(service: Service) -> float:
    """Return how long an honest request takes on a connection of its own, as half of them do."""
    times = []
    for _ in range(HONEST):
        begun = time.perf_counter()
        assert service.post(message()).status == 200
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def test_honest_callers_are_served_through_a_flood(tmp_path: Path) -> None:
    """500 silent and dripping connections: every honest request is answered, in a time of the same order."""
    with behind(tmp_path) as service:
        quiet = median(service)
        with flood(service.port) as process:
            loud = median(service)
            assert process.poll() is None
            assert len(service.app.server.connections) > 490
    assert loud < max(6 * quiet, 0.05), (quiet, loud)  # twice to three times, where the machine is not shared


@pytest.mark.campaign
@pytest.mark.one_way  # the short one above takes both
def test_a_quarter_of_a_minute_of_flood_leaves_honest_callers_their_pace(tmp_path: Path) -> None:
    """500 silent and dripping connections for 15 s: the honest median stays within three times its quiet value."""
    with behind(tmp_path) as service:
        quiet = statistics.median(median(service) for _ in range(5))
        loud = []
        with flood(service.port):
            begun = time.monotonic()
            while time.monotonic() < begun + 15:
                loud.append(median(service))
    sys.stdout.write(f"quiet {quiet * 1e3:.2f} ms, loud {statistics.median(loud) * 1e3:.2f} ms\n")
    assert statistics.median(loud) < 3 * quiet


def test_honest_callers_are_served_when_every_place_is_fought_for(tmp_path: Path) -> None:
    """The same flood on fifty places: each that is cut comes back at once, and an honest request still gets through."""
    with behind(tmp_path, connections=50) as service, flood(service.port):
        begun, served = time.monotonic(), 0
        while served < 20:
            assert time.monotonic() < begun + 30
            with contextlib.suppress(OSError, AssertionError):  # refused once, it calls again, as EMS does
                served += service.post(message()).status == 200
        wait_for(lambda: len(service.app.server.connections) <= 51)  # those that are cut take a moment to close


# -- the decisions ---------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A connection as the limits see it."""

    opened: float = 0.0
    active: float = 0.0
    began: float | None = None
    held: bool = False
    has_pending_response: bool = False
    closed: bool = False

    def handle_close(self) -> None:
        self.closed = True


def limits(connections: int = 2) -> Limits:
    return Limits(ServerSettings(request_timeout=30, idle_timeout=120), connections, lambda: 1000.0)


@pytest.mark.parametrize(
    ("connection", "cut"),
    [
        (Seen(opened=960, active=960), True),  # never asked anything
        (Seen(opened=980, active=980), False),
        (Seen(opened=1, active=900), False),
        (Seen(opened=1, active=870), True),
        (Seen(opened=1, active=999, began=960), True),
        (Seen(opened=1, active=999, began=990), False),
        (Seen(opened=1, active=999, has_pending_response=True), False),
        (Seen(opened=1, active=800, has_pending_response=True), True),  # does not read the answer
        (Seen(opened=1, active=800, has_pending_response=True, held=True), False),
    ],
)
def test_who_is_overdue(connection: Seen, cut: bool) -> None:  # noqa: FBT001 - a column of the table
    """The time for sending counts from a request's first byte, the time for being idle from the last."""
    limits().cut_overdue([connection])
    assert connection.closed is cut


@pytest.mark.parametrize(
    ("connections", "cut"),
    [
        ([Seen(active=1), Seen(active=2)], []),
        ([Seen(active=2), Seen(active=1), Seen(opened=9, active=9)], [1]),  # idle longest
        ([Seen(has_pending_response=True), Seen(active=900), Seen(opened=9, active=9)], [1]),
        (
            [Seen(has_pending_response=True), Seen(has_pending_response=True, held=True), Seen(opened=9)],
            [1],
        ),  # a wrong one before the newest
        ([Seen(began=999.9), Seen(began=999), Seen(opened=9)], [1]),  # the slow before the newest
        ([Seen(began=999.9), Seen(began=999.8), Seen(opened=9)], [2]),  # none in flight for a newcomer
        ([Seen(has_pending_response=True), Seen(has_pending_response=True), Seen(opened=9)], [2]),
        ([Seen(active=3), Seen(active=2), Seen(active=1), Seen(opened=9)], [1, 2]),
    ],
)
def test_who_makes_room(connections: list[Seen], cut: list[int]) -> None:
    """The least loss first: the idle, the wrong, the slow, then the newcomer."""
    limits().make_room(connections)
    assert [number for number, each in enumerate(connections) if each.closed] == cut


# -- open files ------------------------------------------------------------------------------------------------------

_LIMITED: Final = """
import resource, sys
from soap_handler import logs
from soap_handler.server import open_files
logs.configure("info", "text", sys.stdout)
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(open_files.make_room({connections}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "expected"),
    [
        (64, 4096, 200, "200 360"),  # raised
        (1000, 4096, 200, "200 1000"),  # enough, so left alone
        (64, 300, 200, "140 300"),  # as far as it goes, and said
        (64, 64, 200, "1 64"),
    ],
)
def test_the_limit_on_open_files_follows_the_connections(soft: int, hard: int, connections: int, expected: str) -> None:
    """The soft limit is raised as far as is needed and allowed; where it is not enough there are fewer connections."""
    code = _LIMITED.format(soft=soft, hard=hard, connections=connections)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == expected
    assert ("open_files_limited" in done.stdout) is (hard < connections + 160)


def test_a_sufficient_limit_changes_nothing() -> None:
    """The usual case."""
    assert open_files.make_room(1) == 1
