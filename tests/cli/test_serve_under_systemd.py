"""``serve`` as systemd starts it with Type=notify and a watchdog, in one process and in several."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import command, environment, write_configuration
from tests.support.notify_socket import NotifySocket, notify_socket
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAIN = "drain_timeout = 0"


class Unit:
    """A service that was started by this stand-in for systemd."""

    def __init__(self, folder: Path, systemd: NotifySocket, workers: int) -> None:
        self.systemd = systemd
        self._log = folder / "log"
        told = environment({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "1000000"})
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command("serve", "--workers", str(workers)), cwd=folder, env=told, stdout=log, stderr=log
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [line for line in self._log.read_text().splitlines(keepends=True) if line.endswith("}\n")]
        return [event for event in map(json.loads, lines) if event["event"] == name]


@contextmanager
def unit(folder: Path, workers: int) -> Iterator[Unit]:
    write_configuration(folder, server=DRAIN)
    with notify_socket(folder) as systemd:
        started = Unit(folder, systemd, workers)
        try:
            wait_for(systemd.said)
            yield started
        finally:
            started.process.kill()
            started.process.wait(10)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_step_of_its_life_is_told(tmp_path: Path, workers: int) -> None:
    """Ready when each process listens, reloading and ready again, signs of life, stopping."""
    with unit(tmp_path, workers) as it:
        wait_for(lambda: len(it.events("serving")) == workers)
        assert it.systemd.steps() == ["READY=1"]
        it.systemd.wait_for_signs(2)
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: it.systemd.steps() == ["READY=1", "RELOADING=1", "READY=1"])
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(20) == 0
        assert it.systemd.steps() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_a_worker_that_stands_still_is_seen_by_the_watchdog(tmp_path: Path) -> None:
    """Its parent goes on, but gives no sign of life until each worker's loop turns again."""
    with unit(tmp_path, 2) as it:
        wait_for(lambda: len(it.events("serving")) == 2)
        stopped = it.events("worker_started")[1]["process"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            wait_for(lambda: it.events("worker_stands_still"))
            assert [event["process"] for event in it.events("worker_stands_still")] == [stopped]
            known = it.systemd.signs()
            it.process.send_signal(signal.SIGHUP)  # the parent obeys: it does not stand still itself
            wait_for(lambda: it.systemd.steps() == ["READY=1", "RELOADING=1", "READY=1"])
            assert it.systemd.signs() == known
        finally:
            os.kill(stopped, signal.SIGCONT)
        it.systemd.wait_for_signs()
