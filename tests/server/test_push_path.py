"""The plain way is short: the files from the socket to the commit, and from there to the handler and the inbox."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.journal import State
from soap_handler.notifications import MessageReceived
from soap_handler.settings import InboxSettings, ReconcileSettings, Settings
from tests.support import fast_path as fast_path_setting
from tests.support.push_path import PushPath, lines_of, recorded_files, recorded_push
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import DEFAULTS, NUMBER, REFERENCE, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMS: Final = EmsAccount(
    reference=REFERENCE,
    number=NUMBER,
    username="u",
    password="p",
    push_username="x",
    push_password="x",
)
MAX_FILES: Final = 14
MAX_LINES: Final = 2900
"""Of the files between the socket and the commit."""
MAX_LINES_TO_THE_END: Final = 9100
"""Of the files of a push, of its handler's run and of its delete."""
ATTEMPTS: Final = 4
"""What is done once a second, as the look at the journal's file, may fall on one push; it is no part of a usual one."""


@pytest.fixture(scope="module", autouse=True)
def plain() -> Iterator[None]:
    """Have the services of this module take the plain way."""
    fast_path_setting.choose("off")
    yield
    fast_path_setting.choose("auto")


@pytest.fixture(scope="module", params=sorted(DEFAULTS))
def path(plain: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PushPath:  # noqa: ARG001 - it comes first
    """Follow a usual push of each kind to a service that has served one before; the shortest of some."""
    folder: Path = tmp_path_factory.mktemp("path")
    with serving(settings_for(folder)) as service:
        assert service.post(message()).confirms
        wait_for(lambda: State.RECEIVED not in states(service))
    paths: list[PushPath] = []
    while len(paths) < ATTEMPTS and not any(len(each.files) <= MAX_FILES for each in paths):
        with recorded_push() as seen, serving(settings_for(folder)) as service:
            time.sleep(0.5)  # what runs beside the server has looked for work and found none
            new = {name: str(uuid.uuid4()) for name in DEFAULTS[request.param] if name in {"id", "contactID"}}
            assert service.post(message(request.param, **new)).confirms
        paths.append(seen)
    return min(paths, key=lambda each: len(each.files))


@pytest.fixture(scope="module")
def files(plain: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:  # noqa: ARG001 - it comes first
    """Record the files that a message goes through from the socket until it has left the inbox; the fewest of some."""
    ways: list[list[str]] = []
    with SimulatedEms([EMS]) as ems, recorded_files() as seen, serving(deleting(ems, tmp_path_factory)) as service:
        for _ in range(ATTEMPTS):
            arrived = MessageReceived(account=REFERENCE, id=str(uuid.uuid4()), body="hello")
            ems.inbox.mailbox.put(arrived)
            time.sleep(0.5)  # what is done at the start is done
            seen.clear()
            assert service.post(message(id=arrived.id)).confirms
            wait_for(lambda: states(service) == {State.DONE})
            ways.append(sorted(seen))
    return min(ways, key=lines_of)


def deleting(ems: SimulatedEms, folders: pytest.TempPathFactory) -> Settings:
    """Return settings of a service that deletes from this inbox."""
    told = settings_for(folders.mktemp("inbox"))
    inbox = InboxSettings(url=ems.inbox_url, username=EMS.username, password=SecretStr(EMS.password))
    account = told.account[0].model_copy(update={"inbox": inbox})
    alone = ReconcileSettings(interval=0)  # a reconciliation would be quicker than the push
    return told.model_copy(update={"account": (account,), "reconcile": alone})


def states(service: Service) -> set[State]:
    return {state for _, state in service.app.journal.counts()}


def test_a_push_goes_through_few_files(path: PushPath) -> None:
    """From the channel that reads the socket to the insert that is committed."""
    for step in path.steps:
        print(f"{step.caller or 'waitress'} -> {step.file}: {step.function}")  # noqa: T201 - for people who look
    print(f"{len(path.files)} files, {lines_of(path.files)} lines, {path.calls} calls")  # noqa: T201 - as above
    assert path.files[0] == "server/channel.py"
    assert "journal/insert.py" in path.files
    assert len(path.files) <= MAX_FILES, path.files
    assert lines_of(path.files) <= MAX_LINES


def test_no_file_is_entered_twice(path: PushPath) -> None:
    """Each does its part at once and hands on; what it calls returns to it."""
    assert path.entered_again == []


def test_the_plain_way_takes_no_acceleration(path: PushPath) -> None:
    """With the fast path off, nothing comes from fast/."""
    assert [step for step in path.steps if step.file.startswith("fast/")] == []


def test_the_way_to_the_inbox_is_short(files: list[str]) -> None:
    """A message that is pushed, handled and deleted from the inbox."""
    print(f"{len(files)} files, {lines_of(files)} lines:", *files, sep="\n")  # noqa: T201 - for people who look
    assert "inbox/deleter.py" in files
    assert lines_of(files) <= MAX_LINES_TO_THE_END
