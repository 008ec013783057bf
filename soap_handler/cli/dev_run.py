"""Run of ``dev``: the simulated EMS in this process, the service in a child that is started anew after a change."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import typer

from soap_handler.cli import dev_plan
from soap_handler.cli.push_target import login_of
from soap_handler.cli.stop_signals import stop_signals
from soap_handler.ems import SimulatedEms, believable_notifications
from soap_handler.errors import SettingsError
from soap_handler.settings.sinks import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.cli.dev_plan import Plan, Wanted

_POLL_SECONDS: Final = 0.25
_END_SECONDS: Final = 10.0  # for the service to drain; it has been told to take two


def run(wanted: Wanted, journal: Path) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; start the service anew when a file changes.

    Raises:
        SettingsError: the configuration cannot be used at the first start.
    """
    accounts = dev_plan.accounts(wanted)
    with stop_signals() as stop, SimulatedEms(accounts) as ems:
        plan = dev_plan.plan(wanted, journal, ems.inbox_url)
        ems.handler_url = plan.url
        _say(*_introduction(plan, journal, ems.inbox_url))
        if wanted.rate and not accounts[0].push_password:
            _say("EMS pushes nothing: the configuration has the hash of the password alone")
        elif wanted.rate:
            reference = accounts[0].reference
            threading.Thread(target=_push, args=(ems, reference, wanted.rate, stop), daemon=True).start()
        while plan is not None and not stop.is_set():
            before = dev_plan.watched(plan)
            with _service(plan) as service:
                _watch(service, plan, before, stop)
            plan = _next(wanted, journal, ems.inbox_url, plan, stop)
    _say("ended")


@contextmanager
def _service(plan: Plan) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service in a child, which is gone afterwards.

    It is in a process group of its own: Ctrl-C reaches this process alone, which then lets the service drain.
    """
    command = [sys.executable, "-m", "soap_handler", "serve", *(["--config", str(plan.file)] if plan.file else [])]
    group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
    service = subprocess.Popen(command, env=dict(plan.environment), stdin=subprocess.DEVNULL, **group)  # noqa: S603 - our own program
    try:
        yield service
    finally:
        if service.poll() is None:
            service.terminate()
            try:
                service.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                service.kill()
        service.wait()


def _watch(service: subprocess.Popen[bytes], plan: Plan, before: object, stop: threading.Event) -> None:
    """Return when a file has changed, or it is time to stop; say when the service serves, or has ended by itself."""
    serves = ended = False
    while not stop.wait(_POLL_SECONDS):
        if not ended and service.poll() is not None:
            ended = True
            _say(f"the service ended with {service.returncode}; it starts again when a file changes")
        if not (serves or ended) and _answers(plan):
            serves = True
            _say(f"serving at {plan.url}")
        if dev_plan.watched(plan) != before:
            _settle(plan, stop)
            _say("a file has changed")
            return


def _settle(plan: Plan, stop: threading.Event) -> None:
    """Wait until nothing changes any more: an editor, or a checkout, may write several files."""
    last: object = None
    while last != (last := dev_plan.watched(plan)) and not stop.wait(_POLL_SECONDS):
        pass


def _next(wanted: Wanted, journal: Path, inbox_url: str, plan: Plan, stop: threading.Event) -> Plan:
    """Return the plan of the next start; while the configuration cannot be used, say why and wait for a change."""
    while not stop.is_set():
        seen = dev_plan.watched(plan)
        try:
            return dev_plan.plan(wanted, journal, inbox_url, plan.ports)
        except (SettingsError, OSError) as error:
            _say(*(error.problems if isinstance(error, SettingsError) else [str(error)]))
        while dev_plan.watched(plan) == seen and not stop.wait(_POLL_SECONDS):
            pass
    return plan


def _answers(plan: Plan) -> bool:
    host = plan.settings.server.host
    address = ("127.0.0.1" if host == "0.0.0.0" else host, plan.settings.server.port)  # noqa: S104 - compared, not listened on
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


def _push(ems: SimulatedEms, reference: str, rate: float, stop: threading.Event) -> None:
    for notification in believable_notifications(reference, time.time_ns()):
        ems.push(notification)
        if stop.wait(1 / rate):
            return


def _introduction(plan: Plan, journal: Path, inbox_url: str) -> list[str]:
    """Return what a newcomer needs to know."""
    lines = [
        *destinations(plan),
        f"journal    {journal}",
        f"EMS inbox  {inbox_url}",
        f"console    {plan.console}",
    ]
    return [*lines, "Send a message from another terminal (Ctrl-C here ends it):", f"  {push_command(plan)}"]


def destinations(plan: Plan) -> Iterator[str]:
    """Yield where notifications go; handlers that were asked for and get nothing are named too."""
    used, target = plan.settings.destinations, plan.settings.handler.target
    sinks = ", ".join(name for name in used if name != PYTHON)
    if sinks:
        yield f"sinks      {sinks}: as configured, not simulated"
    if PYTHON in used:
        yield f"handlers   {target}, loaded anew when a file changes"
    elif plan.wanted.target:
        yield f'handlers   {target} gets nothing: no [[route]] of the configuration leads to "{PYTHON}"'


def push_command(plan: Plan) -> str:
    """Return a command that sends a message. A configuration has the login; the one that is made up is shown."""
    words = ["soap-handler", "push", "MessageReceived", "--url", plan.url]
    if plan.file is None:
        account = plan.settings.account[0]
        login = login_of(account, None, None)
        words += ["--account", account.reference, "--username", login.username or "anonymous"]
        words += [] if plan.wanted.is_configured else ["--password", login.password or ""]
    elif plan.file.name != "soap-handler.toml" or plan.file.parent.absolute() != plan.file.cwd():
        words += ["--config", str(plan.file)]
    return shlex.join([*words, "--body", "Hello"])


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(f"dev: {line}", err=True)
