"""``docs``: the list of topics and the pages, on a terminal and in a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import soap_handler

if TYPE_CHECKING:
    from tests.cli.conftest import Run

FOLDER = Path(soap_handler.__file__).parent / "docs"


def test_without_a_topic_it_lists_them_with_one_line_each(run: Run) -> None:
    """The list is what a newcomer chooses from."""
    result = run("docs")
    assert result.code == 0
    topics = [line.split("  ")[0] for line in result.out.splitlines()]
    assert topics == [*sorted(path.stem for path in FOLDER.iterdir()), "schema"]
    assert all(line.endswith(".") for line in result.out.splitlines())


def test_a_page_is_plain_text_in_a_pipe(run: Run) -> None:
    """What is piped is the Markdown itself, for grep and for files."""
    result = run("docs", "lifecycle")
    assert result.code == 0
    assert result.out == (FOLDER / "lifecycle.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(FOLDER.iterdir()), ids=lambda page: page.stem)
def test_a_page_is_drawn_on_a_terminal(run: Run, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marks of Markdown become headings and tables."""
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    result = run("docs", page.stem)
    assert result.code == 0
    title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    assert title in result.out
    assert f"# {title}" not in result.out


def test_an_unknown_topic_names_the_ones_there_are(run: Run) -> None:
    """A typing mistake costs one look."""
    result = run("docs", "lifecicle")
    assert result.code == 2
    assert "lifecycle" in result.err
