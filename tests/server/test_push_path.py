"""The plain way of a push is short: how many files it goes through from the socket to the commit, and in what order."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.journal import State
from tests.support import fast_path as fast_path_setting
from tests.support.push_path import PushPath, recorded_push
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILES: Final = 30
FRONT: Final = ("server/", "web/", "faces/base.py", "faces/soap/endpoint.py", "receive/receiver.py")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> PushPath:
    """Follow a usual push to a service that has served one before."""
    folder: Path = tmp_path_factory.mktemp("path")
    fast_path_setting.choose("off")
    try:
        with serving(settings_for(folder)) as service:
            assert service.post(message()).confirms
            wait_for(lambda: State.RECEIVED not in {state for _, state in service.app.journal.counts()})
        with recorded_push() as seen, serving(settings_for(folder)) as service:
            time.sleep(0.5)  # what runs beside the server has looked for work and found none
            assert service.post(message(id=str(uuid.uuid4()))).confirms
    finally:
        fast_path_setting.choose("auto")
    return seen


def test_a_push_goes_through_few_files(path: PushPath) -> None:
    """From the channel that reads the socket to the insert that is committed."""
    for step in path.steps:
        print(f"{step.caller or 'waitress'} -> {step.file}: {step.function}")  # noqa: T201 - for people who look
    assert path.files[0] == "server/channel.py"
    assert "journal/insert.py" in path.files
    assert len(path.files) <= MAX_FILES, path.files


def test_no_file_of_the_front_is_entered_twice(path: PushPath) -> None:
    """Each does its part at once and hands on; what it calls returns to it."""
    assert [step for step in path.entered_again if step.file.startswith(FRONT)] == []


def test_the_front_takes_no_acceleration(path: PushPath) -> None:
    """With the fast path off, nothing of the front comes from fast/."""
    assert [step for step in path.steps if step.file.startswith("fast/") and step.caller.startswith(FRONT)] == []
