"""``python -m module`` in a process of its own, forked from one that has imported the package: that saves its imports.

The process is as real as one that was executed: own memory, own files, the environment, folder and streams that it is
given, the end of an interpreter. What it does not show is the loading of the package; other tests execute the command.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
_IMPORTED: Final = ("soap_handler.cli", "soap_handler.app", "psycopg", "sqlalchemy.dialects.postgresql")
_MOST_FILES: Final = 1024
_LONGEST_SECONDS: Final = 90
_AT_FIRST: Final = threading.Lock()
"""Guards the start of the server: two threads may need it first at the same time, and there is one."""
_LENGTH: Final = 8
"""Digits of the length in front of a request."""


class Forked:
    """A process as ``subprocess.Popen`` shows it, as far as tests use that; its streams are files."""

    def __init__(self, pid: int, report: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._report = report

    def poll(self) -> int | None:
        """Return how it ended, or ``None``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        if self.returncode is None:
            self._report.settimeout(timeout)
            try:
                told = self._report.recv(32)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("a forked process", timeout or 0) from None
            self.returncode = int(told)
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that forks, one for each process of tests. It ends with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, its = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.support.fork_server", str(its.fileno())]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL
        )
        its.close()

    def fork(self, request: dict[str, Any], streams: list[int]) -> Forked:
        report, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        written = json.dumps(request).encode()
        with self._lock, its:
            socket.send_fds(self._requests, [f"{len(written):{_LENGTH}}".encode()], [*streams, its.fileno()])
            self._requests.sendall(written)
        return Forked(int(report.recv(32)), report)

    def end(self) -> None:
        self._requests.close()
        self._process.wait(20)


@functools.cache
def _server() -> _Server:
    return _Server()


def end() -> None:
    """End the process that forks, if there is one."""
    if _server.cache_info().currsize:
        _server().end()
        _server.cache_clear()


def start(
    *arguments: str, cwd: Path, env: Mapping[str, str], stdout: int, stderr: int, start_new_session: bool = False
) -> Forked:
    """Start ``python -m`` with these arguments; ``stdout`` and ``stderr`` are numbers of open files."""
    request = {"arguments": arguments, "cwd": str(cwd), "env": dict(env), "session": start_new_session}
    with _AT_FIRST:
        server = _server()
    return server.fork(request, [stdout, stderr])


def run(*arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` with these arguments to its end, which is due within a minute and a half."""
    of_package = {**(os.environ if env is None else env), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = start(*arguments, cwd=cwd, env=of_package, stdout=out.fileno(), stderr=err.fileno())
        try:
            code = process.wait(_LONGEST_SECONDS)
        finally:
            process.kill()
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


# -- in the process that forks ---------------------------------------------------------------------------------------


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; return it in the child, and ``None`` in the server at the end."""
    while True:
        head, files, _, _ = socket.recv_fds(requests, _LENGTH, 3)
        if not head:
            return None  # tests have ended
        request: dict[str, Any] = json.loads(requests.recv(int(head), socket.MSG_WAITALL))
        keeper = os.fork()
        if keeper == 0:
            if _keep(files[2]):
                os._exit(0)
            _become(request, *files)
            return request
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _keep(report: int) -> bool:
    """Fork once more, and tell the exit code. Return whether this is the process that waits."""
    pid = os.fork()
    if pid == 0:
        return False
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for what it waits for
    _, status = os.waitpid(pid, 0)
    os.write(report, str(os.waitstatus_to_exitcode(status)).encode())
    return True


def _become(request: dict[str, Any], stdout: int, stderr: int, report: int) -> None:
    """Take the streams, the folder and the environment that were asked for, and nothing else; tell the process id."""
    if request["session"]:
        os.setsid()  # before the id is known, with which its group may be killed
    os.write(report, str(os.getpid()).encode())
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, _MOST_FILES)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]  # as -m has it
    sys.argv = list(request["arguments"])


def main() -> None:
    """Import the package, fork for each request, and be the module that was asked for in the child."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    request = _serve(requests)
    if request is not None:
        requests.detach()
        runpy.run_module(request["arguments"][0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
