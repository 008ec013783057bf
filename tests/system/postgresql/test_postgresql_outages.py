"""PostgreSQL goes away, comes back, cuts connections: faults while it is gone, and nothing acknowledged is missing."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

import pytest
from pydantic import SecretStr

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, Selection, State
from soap_handler.settings import HandlerSettings, JournalSettings
from tests.journal.entries import entry
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message
from tests.system.postgresql.server import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.postgresql.server import StoppableServer


class Pushing:
    """Pushes one after the other for as long as it is entered, as EMS does: what fails is pushed again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopping = threading.Event()
        self.acknowledged: list[str] = []
        self.refused = 0
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(3)]

    def _run(self, number: int) -> None:
        for count in itertools.count():
            identity = f"00000000-0000-0000-{number + 1:04}-{count:012}"
            while not self._push(identity):
                if self._stopping.wait(0.02):
                    return
            self.acknowledged.append(identity)
            if self._stopping.is_set():
                return

    def _push(self, identity: str) -> bool:
        answer = self._service.post(message(id=identity))
        if not answer.confirms:
            assert answer.status == 500, answer
            assert b"Server" in answer.body, answer
            self.refused += 1
        return bool(answer.confirms)

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self.threads:
            thread.join(30)

    def wait_for(self, more: int) -> None:
        wanted = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= wanted)


@pytest.fixture
def service(tmp_path: Path, stoppable: StoppableServer) -> Iterator[Service]:
    settings = settings_for(tmp_path, commit_within=3).model_copy(
        update={
            "journal": JournalSettings(url=SecretStr(stoppable.database()), timeout=3),
            "handler": HandlerSettings(timeout=1),
        }
    )
    with serving(settings) as running:
        yield running


def check(service: Service, pushing: Pushing) -> None:
    """Everything that was acknowledged is there and becomes done; each was handled, and none twice."""
    wanted = set(pushing.acknowledged)
    assert len(wanted) == len(pushing.acknowledged)
    journal = service.app.journal
    wait_for(lambda: {record.state for record in journal.records(Selection())} == {State.DONE})
    handled = Counter(getattr(told, "id", "") for told in service.handled)
    assert wanted <= set(handled)
    assert wanted <= {record.key.rpartition("/")[2] for record in journal.records(Selection())}
    assert set(handled.values()) == {1}, "the service was never killed, so none was handled twice"


def test_a_server_that_is_killed_and_started_again(service: Service, stoppable: StoppableServer) -> None:
    """While it is gone every push gets a Server fault; afterwards all goes on without a restart of ours."""
    with Pushing(service) as pushing:
        for _ in range(2):
            pushing.wait_for(20)
            stoppable.stop()
            try:
                known = pushing.refused
                wait_for(lambda known=known: pushing.refused > known + 5)  # type: ignore[misc] # mypy does not see the default
            finally:
                stoppable.start()
            pushing.wait_for(20)
    check(service, pushing)


def test_a_server_that_is_started_again_while_nothing_comes_costs_no_fault(
    service: Service, stoppable: StoppableServer
) -> None:
    """The next push finds connections that work, although those that there were do not."""
    identities = [f"00000000-0000-0000-0009-{count:012}" for count in range(8)]
    for identity in identities[:4]:  # so many, that each part has the connection that it likes
        assert service.post(message(id=identity)).confirms
    stoppable.stop()
    stoppable.start()
    for identity in identities[4:]:
        assert service.post(message(id=identity)).confirms


def test_connections_that_are_cut(service: Service, stoppable: StoppableServer) -> None:
    """Again and again, in the midst of everything: some pushes are refused, none is lost."""
    with Pushing(service) as pushing:
        for _ in range(8):
            pushing.wait_for(5)
            stoppable.cut_connections()
        pushing.wait_for(10)
    check(service, pushing)


def test_a_commit_whose_answer_is_lost_is_a_fault(tmp_path: Path, stoppable: StoppableServer) -> None:
    """Nobody knows whether it was made, so EMS must push again; that finds a duplicate, and all is well."""
    url = stoppable.database()
    line = Line(tmp_path, stoppable)
    try:
        with Journal(url.replace(str(stoppable.folder), str(tmp_path))) as journal:
            line.lose_next_commit = True
            with pytest.raises(JournalUnavailableError):
                journal.record(entry(1))
            assert line.lost == 1
            assert not journal.record(entry(1)), "it had been stored"
            assert len(journal.records(Selection())) == 1
    finally:
        line.close()


def test_a_service_can_stop_while_the_server_is_gone(service: Service, stoppable: StoppableServer) -> None:
    """A drain ends in time although nothing can be written any more."""
    assert service.post(message(id="00000000-0000-0000-0000-000000000001")).confirms
    stoppable.stop()
    try:
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 20
    finally:
        stoppable.start()
