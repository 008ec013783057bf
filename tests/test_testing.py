"""The pytest plugin for customers, as far as the examples do not show it: errors, settings, how it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soap_handler import Handlers, MessageEvent, MessageReceived
from soap_handler.errors import SettingsError
from soap_handler.testing import ACCOUNT

if TYPE_CHECKING:
    from soap_handler.ems import SimulatedEms
    from soap_handler.notifications import Notification
    from soap_handler.testing import StartService

ROOT = Path(__file__).parent.parent
PROJECT = {
    "conftest.py": 'pytest_plugins = ["soap_handler.testing"]',
    "test_sms.py": """
def test_a_message_is_handled(soap_handler_service):
    handled = []
    service = soap_handler_service(handled.append)
    service.wait_until_done(service.receive("hello"))
    assert [message.body for message in handled] == ["hello"]
""",
}


def fail(_: Notification) -> None:
    raise RuntimeError


def test_a_project_asks_for_it_by_name(tmp_path: Path) -> None:
    """One line of a conftest.py is all; without it pytest imports nothing of this package."""
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", "."]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_text_says_why_it_was_not_handled(soap_handler_service: StartService) -> None:
    """The last error of your code, and how often it failed."""
    service = soap_handler_service(fail, handler={"max_attempts": 2})
    message = service.receive("hello")
    with pytest.raises(AssertionError, match=r"is dead after 2 failed attempts: RuntimeError"):
        service.wait_until_handled(message)
    assert len(service.errors(message)) == 2


def test_what_was_handled_is_not_waited_for_as_dead(soap_handler_service: StartService) -> None:
    """The end is told at once, and not after a time-out."""
    service = soap_handler_service(lambda _: None)
    message = service.receive("hello")
    with pytest.raises(AssertionError, match="is done after 0 failed attempts"):
        service.wait_until_dead(message)


def test_what_was_never_pushed_is_not_waited_for_in_vain(soap_handler_service: StartService) -> None:
    """The text says that the service has not got it."""
    service = soap_handler_service(lambda _: None)
    stranger = MessageReceived(account=ACCOUNT.reference, id="x", body="")
    with pytest.raises(AssertionError, match=r"was not taken in 0.1 s: it was not pushed"):
        service.wait_until_handled(stranger, timeout=0.1)


def test_each_kind_can_be_pushed_and_those_without_a_handler_are_ignored(soap_handler_service: StartService) -> None:
    """An event has its handler; a message has none, and stays in the inbox."""
    handled: list[MessageEvent] = []
    handlers = Handlers()
    handlers.message_event(handled.append)
    service = soap_handler_service(handlers)
    event = service.push(MessageEvent(account=ACCOUNT.reference, id="e1"))
    service.receive("hello")
    service.wait_until_done()
    assert handled == [event]
    assert service.ems.counts().inbox == 1


def test_a_service_that_is_started_again_goes_on_with_its_journal(
    ems: SimulatedEms, soap_handler_service: StartService
) -> None:
    """What was taken before the stop is handled after it."""
    first = soap_handler_service(fail)
    message = first.receive("hello")
    first.wait_until_failed(message)
    first.stop()
    assert ems.handler_url is None
    handled: list[Notification] = []
    soap_handler_service(handled.append).wait_until_done(message)
    assert [each.key for each in handled] == [message.key]


def test_a_wrong_setting_is_told_in_words(soap_handler_service: StartService) -> None:
    """As soap-handler check would."""
    with pytest.raises(SettingsError, match=r"handler\.threads"):
        soap_handler_service(fail, handler={"threads": 0})


def test_nothing_of_a_service_is_left(pytestconfig: pytest.Config) -> None:
    """The fixtures of the tests before this one have ended every thread of theirs."""
    assert pytestconfig.pluginmanager.hasplugin("soap_handler.testing")
    assert [each.name for each in threading.enumerate() if each.name.startswith(("soap_handler", "ems-"))] == []
