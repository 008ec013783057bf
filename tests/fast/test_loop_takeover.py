"""A disk that stands still during a commit in the loop: another thread goes on, faults come in time, and it can end."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from soap_handler.settings import ServerSettings
from tests.support.database import each_commit
from tests.support.events import captured_events
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import Connection, message, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 1.0


class StandingDisk:
    """Holds up each commit of a service for as long as it is told to: an fsync that does not return."""

    def __init__(self) -> None:
        self._go_on = threading.Event()
        self._go_on.set()
        self.held_up: list[str] = []

    def stand_still(self) -> None:
        self._go_on.clear()

    def go_on(self) -> None:
        self._go_on.set()

    def commit(self, _connection: object) -> None:
        if not self._go_on.is_set():
            self.held_up.append(threading.current_thread().name)
            self._go_on.wait(30)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    server = ServerSettings(port=0, drain_timeout=1)
    with serving(settings_for(tmp_path, server=server, commit_within=TIMEOUT)) as running:
        yield running


@pytest.fixture
def disk(service: Service, tmp_path: Path) -> Iterator[StandingDisk]:  # noqa: ARG001 - it comes first
    found = StandingDisk()
    with each_commit(f"sqlite:///{tmp_path / 'journal.db'}", found.commit):
        yield found
        found.go_on()


def push() -> bytes:
    return message(id=str(uuid.uuid4()))


def stand_still_in_the_loop(service: Service, disk: StandingDisk, connection: Connection) -> None:
    """Push until a commit in the loop itself is held up."""
    wait_for(lambda: service.post(push()).confirms and service.app.journal.commits_inline)
    wait_for(lambda: service.app.journal.next_handling() is None)
    disk.stand_still()
    connection.send(request(push()))
    wait_for(lambda: bool(disk.held_up))


def test_callers_are_told_in_time(service: Service, disk: StandingDisk) -> None:
    """The one whose commit is held up, and those who come meanwhile; afterwards all works as before."""
    with Connection(service.port) as first, captured_events() as events:
        began = time.monotonic()
        stand_still_in_the_loop(service, disk, first)
        assert service.post(push()).status == 500
        assert first.answer().status == 500
        assert time.monotonic() - began < 5 * TIMEOUT
        disk.go_on()
        wait_for(lambda: service.post(push()).confirms)
    if disk.held_up[0] == "loop":
        assert "loop_taken_over" in {each["event"] for each in events}
    wait_for(lambda: [each.name for each in threading.enumerate()].count("loop") == 1)


def test_it_can_be_stopped_meanwhile(service: Service, disk: StandingDisk) -> None:
    """The drain ends within its limits; what had no answer gets a fault, or the end of its connection."""
    with Connection(service.port) as first, captured_events() as events:
        stand_still_in_the_loop(service, disk, first)
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 8
        assert service.drained is not None
        assert "journal_not_closed" in {each["event"] for each in events}
    disk.go_on()
