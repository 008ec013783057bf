"""The README tells the truth where a program can tell: its settings, its commands, its example, its map."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import soap_handler
from soap_handler.settings import describe

ROOT: Final = Path(__file__).parent.parent
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK: Final = re.compile(r"<!-- settings -->\n(.*?)<!-- /settings -->", re.DOTALL)


def settings_table() -> str:
    """Return the table of all settings in Markdown."""
    lines = [f"| `{row.table}.{row.name}` | {row.type} | {row.default} | {row.description} |" for row in describe()]
    return "\n".join(["| setting | type | default | meaning |", "| --- | --- | --- | --- |", *lines]) + "\n"


def test_every_setting_is_in_the_readme() -> None:
    """The table is made from the settings' own descriptions. ``UPDATE_README=1`` writes it anew."""
    if os.environ.get("UPDATE_README"):
        replaced = _BLOCK.sub(lambda _: f"<!-- settings -->\n{settings_table()}<!-- /settings -->", README)
        (ROOT / "README.md").write_text(replaced, encoding="utf-8")
        return
    block = _BLOCK.search(README)
    assert block is not None
    assert block[1] == settings_table(), "run this test with UPDATE_README=1"


def test_every_room_is_on_the_map() -> None:
    """The table of rooms names each module and folder of the package, and nothing that is not there."""
    package = Path(soap_handler.__file__).parent
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in package.iterdir()
        if not path.name.startswith("_") and path.name not in {"py.typed", "wsdl"}
    }
    table = README.partition("| room | what lives there |")[2]
    named = set(re.findall(r"^\| `([\w./]+)`", table, re.MULTILINE))
    assert named == there


def test_every_command_is_named(tmp_path: Path) -> None:
    """Whatever the command can do is in the README."""
    run = subprocess.run(
        [sys.executable, "-m", "soap_handler", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
    )
    commands = re.findall(r"^\W*([a-z][a-z-]+)\s{2,}\S", run.stdout.partition("Commands")[2], re.MULTILINE)
    assert len(commands) > 8
    assert [command for command in commands if f"soap-handler {command}" not in README] == []


@pytest.mark.parametrize("number", range(len(re.findall(r"```python\n", README))))
def test_the_python_examples_run(number: int, tmp_path: Path) -> None:
    """Each Python example is a program that Python takes."""
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[number]
    (tmp_path / "sms.py").write_text(example, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", "sms.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
