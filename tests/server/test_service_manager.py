"""What systemd is told: ready once the loop turns, alive as long as it does, reloading, stopping."""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from soap_handler.server.reload import Reloader
from soap_handler.server.service_manager import ServiceManager
from soap_handler.settings import Settings
from tests.support.notify_socket import NotifySocket, notify_socket
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.service import Service


@pytest.fixture
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotifySocket]:
    with notify_socket(tmp_path_factory.mktemp("systemd")) as listening:
        yield listening


def manager(systemd: NotifySocket, **environ: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": systemd.address, **environ})


def test_the_first_sign_of_life_says_that_the_start_is_over(systemd: NotifySocket) -> None:
    """READY=1 is said once; without a watchdog nothing else follows."""
    told = manager(systemd)
    told.alive()
    told.alive()
    assert systemd.said() == ["READY=1"]


def test_signs_of_life_are_as_rare_as_the_watchdog_allows(systemd: NotifySocket) -> None:
    """Four of them in WatchdogSec, however often the loop turns."""
    told = manager(systemd, WATCHDOG_USEC="3600000000", WATCHDOG_PID=str(os.getpid()))
    for _ in range(5):
        told.alive()
    assert systemd.said() == ["READY=1", "WATCHDOG=1"]


@pytest.mark.parametrize("wrong", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
def test_a_watchdog_that_is_not_of_this_process_gets_no_sign(systemd: NotifySocket, wrong: dict[str, str]) -> None:
    """The variables may be inherited from another service, or hold nonsense."""
    told = manager(systemd, **{"WATCHDOG_USEC": "1", **wrong})
    told.alive()
    assert systemd.said() == ["READY=1"]


def test_a_reload_is_over_whatever_came_of_it(systemd: NotifySocket) -> None:
    """Also when the new configuration is refused."""
    told = manager(systemd)
    with pytest.raises(ZeroDivisionError), told.reloading():
        raise ZeroDivisionError
    assert systemd.said() == ["RELOADING=1", "READY=1"]


def test_a_reload_is_announced_by_the_part_that_carries_it_out(systemd: NotifySocket) -> None:
    """Once for each request."""
    reloader = Reloader(Settings.model_construct, lambda _: None, manager(systemd).reloading)
    reloader.start()
    reloader.request()
    wait_for(lambda: systemd.said() == ["RELOADING=1", "READY=1"])
    assert reloader.stop()


def test_an_abstract_socket_is_spoken_to() -> None:
    """Its name begins with an @."""
    with closing(NotifySocket(f"@soap-handler-{uuid.uuid4()}")) as abstract:
        manager(abstract).stopping()
        assert abstract.said() == ["STOPPING=1"]


def test_without_a_manager_nothing_is_said() -> None:
    """Neither without the variable nor when there is nothing at its place."""
    for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/none"}):
        ServiceManager(environ).alive()


def test_only_a_loop_that_turns_gives_signs_of_life(systemd: NotifySocket, service: Service) -> None:
    """The watchdog sees a loop that hangs, though other threads go on."""
    service.app.server.alive = manager(systemd, WATCHDOG_USEC="1").alive
    systemd.wait_for_signs(2)
    assert systemd.steps() == ["READY=1"]
    held, go = threading.Event(), threading.Event()

    def hang() -> None:
        held.set()
        go.wait(30)

    listener = next(each for each in service.app.server.sockets.values() if hasattr(each, "task_dispatcher"))
    listener.trigger.pull_trigger(hang)  # waitress calls it in the loop
    assert held.wait(15)
    known = systemd.signs()
    time.sleep(1.5)  # three signs of a loop that turns
    assert systemd.signs() == known
    go.set()
    systemd.wait_for_signs()
