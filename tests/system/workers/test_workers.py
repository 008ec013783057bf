"""Several worker processes on one port: they share the work, are started again, and drain as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import State
from soap_handler.server.supervisor import listen
from soap_handler.server.worker_process import RENEW
from tests.support.waiting import wait_for
from tests.system.workers.serving import ROOT, Serving, alive, started

if TYPE_CHECKING:
    from pathlib import Path

DIARY = """
import os

def handle(notification):
    with open("diary.txt", "a") as diary:
        diary.write(f"{notification.key} {os.getpid()}\\n")
"""
TELLING = """
import sys
from soap_handler.server.supervisor import Supervisor
from soap_handler.server.worker_process import CANNOT_START

def say(slot):
    print("ended:", slot)

supervisor = Supervisor(2, [], lambda link: CANNOT_START, reload=lambda: True, ended=say, drain=1)
sys.exit(supervisor.run())
"""
POISONED = """
import time

def handle(notification):
    if notification.id.startswith("poison"):
        time.sleep(600)
"""
SLOW = """
import time
from pathlib import Path

def handle(notification):
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.01)
"""


def diary(folder: Path) -> list[tuple[str, int]]:
    path = folder / "diary.txt"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    lines = [line for line in lines if line.endswith("\n")]  # the last one may be half written
    return [(key, int(process)) for key, process in map(str.split, lines)]


def test_workers_share_one_port_and_drain_as_one(tmp_path: Path) -> None:
    """Each push is handled once, by one of them; SIGTERM ends them all with 0; no write met a locked database."""
    (tmp_path / "handling.py").write_text(DIARY)
    with started(tmp_path, 3, handler='target = "handling:handle"') as it:
        with ThreadPoolExecutor(12) as threads:
            assert all(threads.map(it.push, map(str, range(300))))
        wait_for(lambda: len(diary(tmp_path)) == 300)
        workers = it.workers()
        assert len(workers) == 3
        assert it.end(signal.SIGTERM) == 0
        assert not any(map(alive, workers))
        told = diary(tmp_path)
        assert len({key for key, _ in told}) == 300
        assert {process for _, process in told} <= set(workers)
        assert {record.state for record in it.records()} == {State.DONE}
        assert "locked" not in it.log()
        assert len(it.events("stopped")) == 3


def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """The other serves meanwhile, another takes its place, and nothing that was acknowledged is lost."""
    with started(tmp_path, handler="timeout = 0.5") as it:  # what was being handled comes back in under two seconds
        assert all(it.push(str(number)) for number in range(20))
        victim, other = it.workers()
        os.kill(victim, signal.SIGKILL)
        it.push_until_acknowledged("20")
        wait_for(partial(it.has_served, 3))
        assert alive(other)
        assert [event["code"] for event in it.events("worker_lost")] == [-signal.SIGKILL]
        wait_for(lambda: [record.state for record in it.records()] == [State.DONE] * 21)
        assert it.end(signal.SIGTERM) == 0


def test_a_worker_whose_handlers_all_hang_is_renewed(tmp_path: Path) -> None:
    """It ends with 3, another takes its place, and what it had not handled is handled; the poison goes dead."""
    (tmp_path / "handling.py").write_text(POISONED)
    with started(tmp_path, handler='target = "handling:handle"\nthreads = 1\ntimeout = 0.1\nmax_attempts = 2') as it:
        poison = [f"poison-{number}" for number in range(20)]
        assert all(it.push(identity) for identity in [*poison, *map(str, range(10))])
        wait_for(lambda: RENEW in [event["code"] for event in it.events("worker_lost")], 30)
        wait_for(lambda: Counter(record.state for record in it.records()) == {State.DONE: 10, State.DEAD: 20}, 60)
        assert it.process.poll() is None
        assert it.push("after")


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """A parent that is killed takes no worker with it at once: the workers notice, finish what they do, and end."""
    (tmp_path / "handling.py").write_text(SLOW)
    with started(tmp_path, handler='target = "handling:handle"') as it:
        assert it.push("1")
        wait_for((tmp_path / "begun").exists)
        workers = it.workers()
        it.process.kill()
        it.process.wait(10)
        wait_for(it.refuses)
        (tmp_path / "go").touch()
        wait_for(lambda: not any(map(alive, workers)))
        assert [record.state for record in it.records()] == [State.DONE]


def test_a_reload_reaches_every_worker(tmp_path: Path) -> None:
    """SIGHUP to the parent: each worker takes up the new password, and so does one that is started later."""
    with started(tmp_path, server="drain_timeout = 5\nlogin_failures_allowed = 100000") as it:
        it.configure(password="n3w")
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(it.events("reloaded")) == 2)
        assert all(it.push(str(number), "n3w") for number in range(20))
        assert not any(it.push(str(number), "s3cret") for number in range(20))
        (tmp_path / "soap-handler.toml").write_text("nonsense = 1")
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: it.events("reload_refused"))
        os.kill(it.workers()[0], signal.SIGKILL)
        wait_for(lambda: len(it.events("serving")) == 3)
        assert all(it.push(str(number), "n3w") for number in range(20, 40))
        assert it.end(signal.SIGTERM) == 0


def test_what_is_left_in_flight_shows_in_the_exit_code(tmp_path: Path) -> None:
    """One worker that could not drain is enough for 1; its notification is still to be handled."""
    (tmp_path / "handling.py").write_text(SLOW)
    with started(tmp_path, server="drain_timeout = 0.2", handler='target = "handling:handle"') as it:
        assert it.push("1")
        wait_for((tmp_path / "begun").exists)
        assert it.end(signal.SIGTERM) == 1
        assert [record.state for record in it.records()] == [State.RECEIVED]


def test_a_signal_to_the_whole_group_drains_too(tmp_path: Path) -> None:
    """As a terminal or systemd sends it: to the parent and to each worker at once."""
    with started(tmp_path) as it:
        assert it.push("1")
        os.killpg(it.process.pid, signal.SIGINT)
        assert it.process.wait(20) == 0
        assert len(it.events("stopped")) == 2


def test_a_worker_told_to_stop_alone_is_replaced(tmp_path: Path) -> None:
    """SIGTERM to one worker drains it alone: so they can be renewed one by one."""
    with started(tmp_path) as it:
        os.kill(it.workers()[0], signal.SIGTERM)
        wait_for(lambda: len(it.events("serving")) == 3)
        assert [event["code"] for event in it.events("worker_lost")] == [0]
        assert it.push("1")
        assert it.end(signal.SIGTERM) == 0


@pytest.mark.one_way
def test_what_keeps_them_from_starting_is_said_once(tmp_path: Path) -> None:
    """A handler that is not there: one sentence, exit code 2, no second try."""
    serving = Serving(tmp_path, 3)
    serving.configure(handler='target = "nowhere:handle"')
    serving.start()
    assert serving.process.wait(20) == 2
    assert serving.log().count("cannot be imported") == 1
    assert len(serving.events("worker_started")) == 1
    assert "Traceback" not in serving.log()


@pytest.mark.one_way
def test_a_worker_that_dies_at_once_is_tried_again_ever_more_slowly(tmp_path: Path) -> None:
    """The pauses grow, and a signal ends it although no worker runs."""
    (tmp_path / "handling.py").write_text("import os; os._exit(3)")
    serving = Serving(tmp_path, 2)
    serving.configure(handler='target = "handling:handle"')
    serving.start()
    try:
        wait_for(lambda: len(serving.events("worker_lost")) == 2)
        assert [event["seconds"] for event in serving.events("worker_lost")] == [0.5, 1.0]
        assert serving.end(signal.SIGTERM) == 0
    finally:
        serving.end_all()


@pytest.mark.one_way
def test_who_has_ended_is_told(tmp_path: Path) -> None:
    """The parent says which worker is gone, so that the others stop to count on it."""
    (tmp_path / "telling.py").write_text(TELLING)
    command = [sys.executable, "telling.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, timeout=30, check=False)
    assert (told.returncode, told.stdout.splitlines()[-1]) == (2, b"ended: 0")


def test_every_address_of_a_host_is_listened_on() -> None:
    """A name with several addresses gets the same port on each of them."""
    sockets = listen("localhost", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
    finally:
        for each in sockets:
            each.close()
