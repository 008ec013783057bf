"""PostgreSQL stands still while its connections look healthy: faults in time, new connections, and it can end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from soap_handler.errors import JournalUnavailableError
from soap_handler.fast.postgresql_pipeline import PipelinedCommit
from soap_handler.journal import Journal, journal
from soap_handler.journal.databases import listen_notify, silence
from soap_handler.settings import JournalSettings, ServerSettings
from tests.journal.entries import LEASE, entry
from tests.support.events import captured_events
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.journal.engines import PostgreSQL
    from tests.journal.ways import Way

TIMEOUT = 0.4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all limits be short."""
    monkeypatch.setattr(silence, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(journal, "SILENCE_MARGIN_SECONDS", 0.2)
    monkeypatch.setattr(listen_notify, "SILENCE_LIMIT_SECONDS", 0.5)
    monkeypatch.setattr(listen_notify, "SILENCE_SECONDS", 0.3)


class Sessions:
    """The sessions of one database, which can be stopped where they are."""

    def __init__(self, server: PostgreSQL, url: str) -> None:
        self._server = server
        self._name = make_url(url).database
        self.stopped: list[int] = []

    def stop(self) -> None:
        query = text("SELECT pid FROM pg_stat_activity WHERE datname = :name")
        engine = self._server.engine("postgres")
        with engine.connect() as connection:
            self.stopped += connection.scalars(query, {"name": self._name}).all()
        for pid in self.stopped:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped.clear()


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.database()


@pytest.fixture
def sessions(postgresql: PostgreSQL, url: str) -> Iterator[Sessions]:
    found = Sessions(postgresql, url)
    yield found
    found.go_on()


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    with captured_events() as seen:
        yield seen


def silent(events: list[dict[str, Any]]) -> bool:
    return "journal_session_silent" in {each["event"] for each in events}


def test_a_commit_is_refused_in_time_and_the_next_one_works(
    url: str, sessions: Sessions, way: Way, events: list[dict[str, Any]]
) -> None:
    """The session stays stopped: it is said, the connection is dropped, and another one is made."""
    with Journal(url, timeout=TIMEOUT, **way) as opened:
        assert opened.record(entry(1))
        sessions.stop()
        began = time.monotonic()
        with pytest.raises(JournalUnavailableError):
            opened.record(entry(2))
        assert time.monotonic() - began < 2 * TIMEOUT
        wait_for(lambda: recorded(opened))
        assert silent(events)


def recorded(opened: Journal) -> bool:
    try:
        opened.record(entry(3))
    except JournalUnavailableError:
        return False
    return True


def test_each_kind_of_wait_has_a_limit(url: str, sessions: Sessions, way: Way, events: list[dict[str, Any]]) -> None:
    """Claiming and looking: an error in time, and then they work on another connection."""
    with Journal(url, timeout=TIMEOUT, **way) as opened:
        opened.record(entry(1))
        opened.next_handling()
        sessions.stop()
        began = time.monotonic()
        with pytest.raises(JournalUnavailableError):
            opened.claim(1, LEASE)
        assert opened.next_handling() is not None, "a connection is asked for a sign of life before it is used"
        assert time.monotonic() - began < 4
        wait_for(lambda: not recorded_error(opened))
        assert silent(events)


def recorded_error(opened: Journal) -> bool:
    try:
        opened.claim(1, LEASE)
    except JournalUnavailableError:
        return True
    return False


def test_a_session_that_stops_in_a_query_ends_it(url: str, sessions: Sessions) -> None:
    """The connection was alive when it was taken; the limit holds in the midst of its work."""

    def query(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        sessions.stop()
        with pytest.raises(Exception, match="no answer within"):
            connection.execute(text("SELECT 1"))
        assert driver.closed
        raise OSError("as a query ends whose connection is gone")

    with Journal(url, timeout=TIMEOUT) as opened, pytest.raises(JournalUnavailableError):
        opened.read(query, silence=TIMEOUT)


def test_a_listener_finds_another_connection(url: str, sessions: Sessions, events: list[dict[str, Any]]) -> None:
    """It hears again what others commit, without a restart."""
    with Journal(url, timeout=TIMEOUT) as here, Journal(url, timeout=TIMEOUT) as there:
        heard: list[int] = []
        there.listen(lambda: heard.append(1))
        wait_for(lambda: here.record(entry(1)) is not None and bool(heard))  # it listens a moment later
        sessions.stop()
        wait_for(lambda: "journal_listener_lost" in {each["event"] for each in events})
        wait_for(lambda: recorded(here))
        heard.clear()
        wait_for(lambda: here.record(entry(9)) is not None and bool(heard))


def test_a_pushing_connection_is_given_up(url: str, sessions: Sessions, events: list[dict[str, Any]]) -> None:
    """The loop's own connection too: what it sent fails, and pushes go another way."""
    with Journal(url, timeout=TIMEOUT, committer=PipelinedCommit) as opened:
        pipeline = opened.committer
        assert isinstance(pipeline, PipelinedCommit)
        sockets: dict[int, Any] = {}
        pipeline.attach(sockets)
        wait_for(lambda: recorded(opened) and pipeline.is_ready)
        sent = opened.submit_all([entry(7)])
        assert len(sockets) == 1
        sessions.stop()
        late = opened.submit_all([entry(8)])
        wait_for(lambda: opened.submit_all([entry(9)]) and not sockets)
        with pytest.raises(JournalUnavailableError):
            sent.result(5)
        late.exception(5)
        assert silent(events)
        wait_for(lambda: recorded(opened))
        pipeline.detach()


@pytest.mark.parametrize("fast_path", ["auto", "off"], indirect=True)
def test_a_service_refuses_goes_on_and_can_be_stopped(
    tmp_path: Path, url: str, sessions: Sessions, postgresql: PostgreSQL, events: list[dict[str, Any]]
) -> None:
    """Server faults in time; another session afterwards; and with the whole server stopped, the drain ends."""
    settings = settings_for(tmp_path, server=ServerSettings(port=0, drain_timeout=1)).model_copy(
        update={"journal": JournalSettings(url=SecretStr(url), timeout=TIMEOUT)}
    )
    with serving(settings) as service:
        assert service.post(message(id="00000000-0000-0000-0000-000000000001")).confirms
        sessions.stop()
        began = time.monotonic()
        answer = service.post(message(id="00000000-0000-0000-0000-000000000002"))
        assert answer.status == 500
        assert time.monotonic() - began < 1.5
        again = message(id="00000000-0000-0000-0000-000000000003")
        wait_for(lambda: service.post(again).confirms)
        assert silent(events)
        for pid in postgresql.processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            service.post(again)
            service.stop()
            assert time.monotonic() - began < 8
        finally:
            for pid in postgresql.processes:
                os.kill(pid, signal.SIGCONT)
