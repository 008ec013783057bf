"""``serve`` without a standard output: refused where notifications would go there, and only there."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import command, environment, write_configuration
from tests.cli.test_no_traceback import shell
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


PRINTED = '[[route]]\nsink = "lines"\n[sink.lines]\ntype = "stdout"\n'


@pytest.mark.parametrize(
    ("target", "routes"),
    [("", ""), ('target = "soap_handler.sinks.stdout:handlers"', ""), ('target = "sms:handle"', PRINTED)],
)
def test_notifications_do_not_go_to_a_closed_output(tmp_path: Path, target: str, routes: str) -> None:
    """Where they are written to the standard output, by whatever setting, and that is closed, no service starts."""
    (tmp_path / "sms.py").write_text("def handle(_): pass\n")
    write_configuration(tmp_path, routes, handler=target)
    done = shell(tmp_path, "SH serve >&-")
    assert done.returncode == 2
    assert "the standard output is closed" in done.stderr


def test_a_closed_output_is_not_missed_where_all_goes_to_sinks(tmp_path: Path) -> None:
    """The service starts, and its log names where notifications go."""
    (tmp_path / "spool").mkdir()
    spool = f'[[route]]\nsink = "spool"\n[sink.spool]\ntype = "files"\ndirectory = "{tmp_path / "spool"}"\n'
    write_configuration(tmp_path, spool)
    line, log = f"exec {shlex.join(command('serve'))} >&- 2>serve.log", tmp_path / "serve.log"
    process = subprocess.Popen(["/bin/sh", "-c", line], cwd=tmp_path, env=environment())
    try:
        wait_for(lambda: process.poll() is not None or (log.exists() and '"serving"' in log.read_text()))
        assert '"handler": "none: notifications go to sink.spool"' in log.read_text()
    finally:
        process.terminate()
        process.wait(20)
    assert process.returncode == 0
