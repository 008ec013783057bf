"""Signals at any time: Ctrl-C ends a command without a traceback and is never lost, SIGHUP does not end a start."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli import configuration
from soap_handler.journal import Journal
from tests.cli.conftest import Run, command, environment, write_configuration
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def started(folder: Path) -> subprocess.Popen[bytes]:
    """Start the service, and return once its first line has run: the main module is being imported."""
    code = (
        "import sys; sys.argv[1:] = ['serve']; from soap_handler.cli import main, early_signals; "
        "held = early_signals.held; import contextlib\n"
        "@contextlib.contextmanager\n"
        "def telling():\n"
        "    with held():\n"
        "        open('held', 'w').close()\n"
        "        yield\n"
        "early_signals.held = telling\n"
        "main()"
    )
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment(), stderr=log, stdout=log)
    wait_for((folder / "held").exists)
    return process


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_in_the_first_second_is_obeyed_and_not_the_end(tmp_path: Path, workers: int) -> None:
    """``systemctl reload`` right after the start: the service is not killed by it, and reads the configuration anew."""
    write_configuration(tmp_path, server=f"workers = {workers}")
    process = started(tmp_path)
    try:
        process.send_signal(signal.SIGHUP)
        log = tmp_path / "serve.log"
        wait_for(lambda: process.poll() is not None or '"event": "reloaded"' in log.read_text())
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_in_the_first_second_is_quiet(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C before the service serves ends it at once, without a traceback."""
    write_configuration(tmp_path)
    process = started(tmp_path)
    process.send_signal(number)
    assert process.wait(20) == -number
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


INTERRUPTED_IMPORT = """
import os, signal, sys

sought = sys.argv.pop(1)

class Interrupting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == sought:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting)
from soap_handler.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["soap_handler.cli", "typer", "soap_handler.cli.program", "soap_handler.journal"])
def test_ctrl_c_in_the_midst_of_an_import_is_quiet(tmp_path: Path, module: str) -> None:
    """From the first line of ours on, whatever is being loaded: the commands, or what one of them needs."""
    write_configuration(tmp_path)
    Journal(f"sqlite:///{tmp_path / 'journal.db'}").close()
    arguments = [sys.executable, "-c", INTERRUPTED_IMPORT, module, "status"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in {-signal.SIGINT, 130}, done.stdout  # a shell makes 130 of both
    assert done.stderr.strip() == ""


SWALLOWED = """
import signal, time, weakref
signal.signal(signal.SIGINT, signal.SIG_DFL)
from soap_handler.cli import interrupts
interrupts.raise_interrupts()
class Thing: pass
thing = Thing()
reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
try:
    del thing
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_in_a_callback_of_the_interpreter_is_not_lost(tmp_path: Path) -> None:
    """Python drops what is raised there, and would show a traceback: it is raised again."""
    arguments = [sys.executable, "-c", SWALLOWED]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


MISSED = """
import _thread, signal, threading, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
from soap_handler.cli import interrupts
interrupts.raise_interrupts()
threading.Timer(0.2, _thread.interrupt_main).start()  # notes the signal as Python does, and interrupts no wait
begun = time.monotonic()
try:
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted", "in time" if time.monotonic() - begun < 20 else "late")
"""


def test_ctrl_c_just_before_a_wait_ends_it(tmp_path: Path) -> None:
    """It comes after Python looked for signals and before the system waits: nothing would end that wait."""
    arguments = [sys.executable, "-c", MISSED]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("interrupted in time\n", "")


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Leave Ctrl-C as it was: after the first one, the next is the end."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "line",
    [
        "push MessageEvent --url {} --username a --password b --account c",
        "reconcile",
        "doctor --url {} --account EX0012345",
        "check --inbox",
    ],
)
def test_ctrl_c_while_a_command_waits_is_quiet(tmp_path: Path, line: str) -> None:
    """For an answer that does not come. The exit code is 130, as shells have it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        write_configuration(tmp_path, account=f'inbox = {{ url = "{url}", username = "a", password = "b" }}')
        Journal(f"sqlite:///{tmp_path / 'journal.db'}").close()
        arguments = command(*shlex.split(line.format(url)))
        process = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=-1, stderr=-1, text=True)
        silent.settimeout(60)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, err.strip()) == (130, "")


@pytest.mark.usefixtures("_ctrl_c")
def test_ctrl_c_in_another_command_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its modules are imported too. A further one, while threads end, is the end at once."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("soap_handler.cli.load_structlog", interrupt)
    result = run("docs")
    assert (result.code, result.err) == (130, "")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_ctrl_c_in_the_making_of_a_class_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeep makes classes while it reads a WSDL: there Python 3.11 turns Ctrl-C into a RuntimeError."""

    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    def load(*_: object) -> None:
        try:
            type("Made", (), {"member": Interrupted()})
        except KeyboardInterrupt as wrapped_by_older_releases:
            raise RuntimeError from wrapped_by_older_releases

    monkeypatch.setattr(configuration, "load", load)
    result = run("journal", "reconciliations")
    assert (result.code, result.err) == (130, "")
