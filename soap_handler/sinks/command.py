"""The sink that starts a program for each notification: JSON on its standard input, its exit code is the answer.

Exit codes are those of sysexits.h: 0 is handled, 65 (EX_DATAERR) never will be, any other is tried again later.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

from soap_handler.errors import GiveUp, RetryLater, SinkDownError
from soap_handler.sinks.base import Sink
from soap_handler.sinks.form import encoded, form, written
from soap_handler.trace_context import VARIABLE, current, made_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.settings.sinks import CommandSettings
    from soap_handler.sinks.base import Delivery

DATA_ERROR: Final = 65
"""EX_DATAERR: the program will never take this notification."""
_OWN_VARIABLES: Final = "SOAP_HANDLER_"  # settings of the service, which may hold passwords
_VARIABLE_LIMIT_BYTES: Final = 100_000  # of UTF-8; Linux takes 131,072 for one
_TRACE_STATE: Final = "TRACESTATE"
_STDERR_SHOWN: Final = 400  # characters of its end


class Command(Sink):
    """A program of the customer's."""

    def __init__(self, settings: CommandSettings) -> None:
        self._command = settings.command
        self._directory = settings.directory
        self._timeout = settings.timeout
        self._format = settings.format

    def deliver(self, delivery: Delivery) -> None:
        """Run the program and wait for its end, or kill its process group when the time is over."""
        values = form(delivery)
        text = written(values) if self._format == "json" else encoded(delivery, self._format)
        # Files, not pipes: a program need not read its input, and one that it leaves behind must not hold us up.
        with _unnamed_file() as stdin, tempfile.TemporaryFile(buffering=0) as stderr:
            stdin.write(text.encode() + b"\n")
            stdin.seek(0)
            code = self._run(stdin, stderr, variables(values))
            if code:
                raise _verdict(code, _end_of(stderr))

    def probe(self) -> str:
        """Look for the program and its working directory; it is not run."""
        self._refuse_missing_directory()
        directory = None if self._directory is None else str(self._directory)
        for folder in [""] if os.sep in self._command[0] else os.get_exec_path():
            path = os.path.join(directory or "", folder, self._command[0])  # noqa: PTH118 - joins what may be absolute
            if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 - as above
                return f"{path} is a program"
        raise SinkDownError(f"{self._command[0]} is no program that can be run")

    def _refuse_missing_directory(self) -> None:
        if self._directory is not None and not self._directory.is_dir():
            raise SinkDownError(f"the working directory {self._directory} is not there; expected a directory")

    def _run(self, stdin: IO[bytes], stderr: IO[bytes], environment: Mapping[str, str]) -> int:
        try:
            program = subprocess.Popen(  # noqa: S603 - the administrator's own words, without a shell
                self._command,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=self._directory,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._refuse_missing_directory()
            why = getattr(error, "strerror", None) or error
            raise SinkDownError(f"{self._command[0]} cannot be started ({why})") from error
        try:
            return _ended(program, self._timeout)
        except subprocess.TimeoutExpired as error:
            text = f"the program did not end within {self._timeout:g} s and was killed"
            raise SinkDownError(text) from error
        finally:
            if program.returncode is None:
                _kill_group(program)
                program.wait()


def _unnamed_file() -> IO[bytes]:
    """Return an empty file for what is short: in memory on Linux, since a file on a disk takes as long as a program.

    What a program writes has no bound, so that goes to a disk.
    """
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("notification"), "w+b", buffering=0)  # noqa: PTH123 - the caller closes it
    return tempfile.TemporaryFile(buffering=0)


def _ended(program: subprocess.Popen[bytes], timeout: float) -> int:
    """Return the exit code of a program as soon as it has ended.

    Python's own wait with a timeout polls, and sleeps longer each time: up to as long again as the program took.

    Raises:
        subprocess.TimeoutExpired: it has not ended in time.
    """
    try:
        descriptor = os.pidfd_open(program.pid)
    except (AttributeError, OSError):  # not Linux, or an old one, or a container that forbids it
        return program.wait(timeout)
    try:
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        has_ended = end.poll(timeout * 1000)
    finally:
        os.close(descriptor)
    return program.wait(None if has_ended else 0)


def variables(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the program: the service's own without its settings, ``SMS_`` and each attribute.

    The trace is that of the attempt, as OpenTelemetry hands it to programs.
    A variable cannot hold all that a text can (no NUL, no lone surrogate); the exact texts are in the JSON.
    """
    found = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    for name, value in values.items():
        text = _as_variable(value)
        if text is not None and len(text.encode()) <= _VARIABLE_LIMIT_BYTES:
            found[f"SMS_{name.upper()}"] = text
    found.pop(_TRACE_STATE, None)  # what the service was started with belongs to another trace
    return {**found, VARIABLE: current() or made_up(values["key"])}


def _as_variable(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None or isinstance(value, dict | list):
        return None
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _verdict(code: int, said: str) -> Exception:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    text = f"the program {how}" + (f": {said}" if said else "")
    return GiveUp(text) if code == DATA_ERROR else RetryLater(text)


def _end_of(stderr: IO[bytes]) -> str:
    stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, stderr.tell() - _STDERR_SHOWN * 4))
    return stderr.read().decode("utf-8", "replace").strip()[-_STDERR_SHOWN:]


def _kill_group(program: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()
