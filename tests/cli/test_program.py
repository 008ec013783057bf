"""What holds for every command: help, version, and how quickly the command is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Run, command, environment


def test_the_version_is_said(run: Run) -> None:
    """``--version`` names the program."""
    result = run("--version")
    assert result.code == 0
    assert result.out.startswith("soap-handler")


@pytest.mark.parametrize("name", ["demo", "serve", "init", "check", "push", "simulate", "journal"])
def test_every_command_has_help(run: Run, name: str) -> None:
    """Each command of the README is there and explains itself."""
    result = run(name, "--help")
    assert result.code == 0
    assert "Usage:" in result.out


def test_it_runs_as_a_module() -> None:
    """``python -m soap_handler`` is the same command."""
    ended = subprocess.run(command("--help"), env=environment(), capture_output=True, timeout=20, check=False)
    assert ended.returncode == 0


def test_help_waits_for_nothing_heavy() -> None:
    """The definition of the commands loads neither spyne nor zeep nor SQLAlchemy nor pydantic."""
    heavy = "{'spyne', 'zeep', 'sqlalchemy', 'pydantic', 'waitress', 'lxml'}"
    code = f"import sys; from soap_handler.cli.program import program; sys.exit(str({heavy} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert ended.stderr.decode().strip() == "set()"
