"""Several services on one journal, killed at random moments: one lease for each notification, and exact effects."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from soap_handler.journal import Journal, State, Step
from soap_handler.notifications import Kind
from tests.support.waiting import wait_for
from tests.system.workers.serving import Serving, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journal.engines import PostgreSQL

WRITING = """
import random, time
from sqlalchemy import text
from soap_handler import Handlers

handlers = Handlers()

@handlers.all_kinds(transactional=True)
def handle(notification, connection):
    time.sleep(random.uniform(0, 0.005))
    connection.execute(text("INSERT INTO effect VALUES (:key)"), {"key": notification.key})
    time.sleep(random.uniform(0, 0.005))
    connection.execute(text("INSERT INTO effect VALUES (:key)"), {"key": notification.key + " again"})
    if random.random() < 0.05:
        raise ValueError("not yet")
"""
HANDLER = 'target = "writing:handlers"\ntimeout = 0.5\nbackoff = 0.02\nbackoff_cap = 0.1\nmax_attempts = 1000'
"""A lease is of under two seconds."""


def prepare(folder: Path, url: str) -> None:
    (folder / "writing.py").write_text(WRITING)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (key TEXT)"))
    engine.dispose()


@contextlib.contextmanager
def running_hosts(count: int, folder: Path, url: str, writing: str, handler: str) -> Iterator[list[Serving]]:
    """Run so many services, each in a folder of its own, with these handlers on one journal."""
    with contextlib.ExitStack() as all_of_them:
        hosts = []
        for number in range(count):
            place = folder / str(number)
            place.mkdir()
            if not number:
                prepare(place, url)
            (place / "writing.py").write_text(writing)
            hosts.append(all_of_them.enter_context(started(place, 1, url=url, handler=handler)))
        yield hosts


def effects(url: str) -> Counter[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = Counter(connection.execute(text("SELECT key FROM effect")).scalars())
    engine.dispose()
    return found


def wait_until_done(url: str, wanted: int) -> None:
    with Journal(url) as journal:
        wait_for(lambda: journal.counts() == {(Kind.MESSAGE_EVENT, State.DONE): wanted})


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kills", "pushes"), [(3, 60), pytest.param(30, 900, marks=pytest.mark.campaign)], ids=["few", "many"]
)
def test_a_kill_neither_loses_nor_doubles_an_effect(tmp_path: Path, url: str, kills: int, pushes: int) -> None:
    """Workers with a transactional handler are killed at random moments: each row is there once."""
    rng = random.Random(kills)  # noqa: S311 - it draws moments, not secrets
    prepare(tmp_path, url)
    with started(tmp_path, 2, url=url, handler=HANDLER) as it, ThreadPoolExecutor(4) as threads:
        served = 2
        for part in range(kills):
            share = range(part * pushes // kills, (part + 1) * pushes // kills)
            pushed = [threads.submit(it.push_until_acknowledged, str(number)) for number in share]
            time.sleep(rng.uniform(0, 0.2))  # anywhere in the midst of it
            os.kill(rng.choice(it.workers()), signal.SIGKILL)
            for each in pushed:
                each.result(30)
            served += 1
            wait_for(lambda wanted=served: it.has_served(wanted))  # type: ignore[misc] # mypy does not see the default
        wait_until_done(url, pushes)
        assert it.end(signal.SIGTERM) == 0
    found = effects(url)
    assert set(found.values()) == {1}, "none is doubled"
    assert len(found) == 2 * pushes, "none is lost"


def test_three_hosts_share_one_journal(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """Pushes to any of three services: each notification is handled under one lease, by one of them, once."""
    url = postgresql.database()
    never_fails = WRITING.replace("0.05:", "0:")
    with running_hosts(3, tmp_path, url, never_fails, 'target = "writing:handlers"') as hosts:
        with ThreadPoolExecutor(6) as threads:
            pushes = [(hosts[number % 3], str(number // 2)) for number in range(120)]  # each twice, to different hosts
            assert all(threads.map(lambda push: push[0].push(push[1]), pushes))
        wait_until_done(url, 60)
        processes = {host.process.pid for host in hosts}
        assert [host.end(signal.SIGTERM) for host in hosts] == [0, 0, 0]
    attempts: dict[str, list[str]] = defaultdict(list)
    with Journal(url) as journal:
        every = list(journal.attempts())
        assert sum(attempt.outcome == "duplicate" for _, attempt in every) == 60
        for key, attempt in every:
            if attempt.step is Step.PUSH:
                continue
            assert (attempt.step, attempt.outcome) == (Step.HANDLE, "ok")
            attempts[key].append(attempt.owner)
    assert {len(owners) for owners in attempts.values()} == {1}
    assert len(attempts) == 60
    assert {int(owner.split(":")[1]) for owners in attempts.values() for owner in owners} == processes
    assert set(effects(url).values()) == {1}


@pytest.mark.campaign
def test_a_host_that_is_frozen_past_its_lease_does_no_harm(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """Another host takes over what the frozen one had; when that thaws, its transaction leaves nothing."""
    url = postgresql.database()
    with running_hosts(2, tmp_path, url, WRITING, HANDLER) as hosts:
        frozen, other = hosts
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(other.push_until_acknowledged, map(str, range(60))))
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(other.push_until_acknowledged, map(str, range(60, 90))))
            wait_until_done(url, 90)
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        assert [host.end(signal.SIGTERM) for host in hosts] == [0, 0]
    assert set(effects(url).values()) == {1}
    assert len(effects(url)) == 180
