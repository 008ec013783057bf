"""A process that tests fork is as one that they execute: its streams, folder, arguments, environment and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import fork_server

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import atexit, json, os, sys, threading, time
atexit.register(lambda: print("ended", file=sys.stderr))
said = {
    "arguments": sys.argv, "folder": os.getcwd(), "own": os.environ.get("OWN"), "main": __name__,
    "path": sys.path[:2], "files": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "group": os.getpgid(0) == os.getpid(),
}
print(json.dumps(said, sort_keys=True), flush=True)
if "wait" in sys.argv:
    time.sleep(60)
sys.exit(3)
"""


def ended(folder: Path, *, forked: bool) -> tuple[int, str, str]:
    environment = {**os.environ, "OWN": "value", "PYTHONPATH": str(fork_server.ROOT)}
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process: fork_server.Forked | subprocess.Popen[bytes]
        if forked:
            process = fork_server.start(
                "said", "a", "b c", cwd=folder, env=environment,
                stdout=out.fileno(), stderr=err.fileno(), start_new_session=True,
            )  # fmt: skip
        else:
            command = [sys.executable, "-m", "said", "a", "b c"]
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=out, stderr=err, start_new_session=True
            )
        code = process.wait(60)
    return code, (folder / "out").read_text(), (folder / "err").read_text()


def test_it_is_as_one_that_was_executed(tmp_path: Path) -> None:
    """It sees the same, writes the same and ends with the same code, after what was registered for its end."""
    (tmp_path / "said.py").write_text(MODULE)
    executed = ended(tmp_path, forked=False)
    assert ended(tmp_path, forked=True) == executed
    assert (executed[0], executed[2]) == (3, "ended\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """It runs until then; its end is told as ``subprocess`` tells it."""
    (tmp_path / "said.py").write_text(MODULE)
    with (tmp_path / "out").open("w") as out:
        process = fork_server.start(
            "said", "wait", cwd=tmp_path, env=os.environ, stdout=out.fileno(), stderr=out.fileno()
        )
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait(60) == process.poll() == -number
