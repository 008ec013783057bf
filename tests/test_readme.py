"""The README is a front door: short, with the commands that the checks run, and with links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")

README_LINES: Final = 200


def test_it_is_read_in_five_minutes() -> None:
    """Everything that takes longer is a page of ``soap-handler docs``."""
    assert len(README.splitlines()) <= README_LINES


def test_the_checks_run_its_commands() -> None:
    """The demo and the test command stand in ``.ci/run`` word for word, which fails where the README lacks them."""
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert [command for command in commands if f'"{command}"' not in checks] == []


def test_its_links_lead_somewhere() -> None:
    """A relative link or picture is a file of the repository."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
