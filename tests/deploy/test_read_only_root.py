"""The service as the container files run it: process 1 of its name space, on a root file system that is read only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import environment, write_configuration
from tests.support.waiting import wait_for

APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
# A checkout below /tmp must stay in sight.
TMP = "mount --bind /tmp /tmp" if Path(sys.executable).parts[1] == "tmp" else "mount -t tmpfs none /tmp"
READ_ONLY = f"{TMP} && mount -o remount,bind,ro / && ! touch /probe 2>/dev/null"


def test_it_writes_to_its_state_and_to_tmp_alone_and_drains_as_process_1(tmp_path: Path) -> None:
    """Process 1 has no default for SIGTERM: the service must have its own. The handlers' module lies elsewhere."""
    if shutil.which("unshare") is None or subprocess.run([*APART, "sh", "-c", READ_ONLY], check=False).returncode:
        pytest.skip("this machine makes no name spaces")
    state, configuration = tmp_path / "state", tmp_path / "conf"
    state.mkdir()
    configuration.mkdir()
    write_configuration(state).rename(configuration / "soap-handler.toml")
    told = environment(
        {"SOAP_HANDLER_CONFIG": str(configuration / "soap-handler.toml"), "PYTHONDONTWRITEBYTECODE": "1"}
    )
    serve = f"{READ_ONLY} && exec {sys.executable} -m soap_handler serve"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*APART, "sh", "-c", serve], cwd=state, env=told, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or "serving" in names(tmp_path / "log"))
        assert process.poll() is None, (tmp_path / "log").read_text()
        os.kill(child_of(process.pid), signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)
    assert "stopped" in names(tmp_path / "log")
    assert [path.name for path in configuration.iterdir()] == ["soap-handler.toml"]


def names(log: Path) -> list[Any]:
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("}\n")]
    return [json.loads(line)["event"] for line in lines]


def child_of(process: int) -> int:
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])
