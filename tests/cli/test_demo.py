"""``demo``: what it promises, and that a broken promise shows."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli.demo_report import Report, problems, summary
from soap_handler.ems import Counts
from soap_handler.journal import State
from soap_handler.notifications import Kind
from tests.cli.conftest import command, environment

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Report(
    ordered={"a": Kind.MESSAGE_RECEIVED, "b": Kind.MESSAGE_EVENT},
    unacknowledged={},
    ems=Counts(pushed=2, acknowledged=2, deleted=1),
    journal={"a": State.DONE, "b": State.DONE},
    handled=frozenset({"a", "b"}),
    seconds=1.0,
)


def test_nothing_is_lost(tmp_path: Path) -> None:
    """Under duplicates, lost answers and an inbox outage all is handled and deleted; standard output is one object."""
    ended = subprocess.run(
        command("demo", "--messages", "60", "--seed", "7", "--json"),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    assert [counts[name] for name in ("pushed", "acknowledged", "stored", "handled")] == [60] * 4
    assert [counts[name] for name in ("lost", "dead", "inbox_left")] == [0, 0, 0]
    assert counts["duplicates"] > 0
    assert counts["lost_answers"] > 0
    assert 0 < counts["deleted"] < 60
    assert counts["problems"] == []
    assert list(tmp_path.iterdir()) == []


def test_good_books_have_no_problems() -> None:
    """Where all sides agree and every promise was kept, there is nothing to say."""
    assert problems(GOOD) == []
    assert summary(GOOD)["lost"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"handled": frozenset({"a"})}, "lost: 1"),
        ({"journal": {"a": State.DONE, "b": State.DEAD}}, "dead: 1"),
        ({"journal": {"a": State.DONE}}, "the journal holds 1"),
        ({"journal": {"a": State.DONE, "c": State.DONE}}, "the journal holds 2"),
        ({"journal": {"a": State.HANDLED, "b": State.DONE}}, "the journal has 0 as deleted"),
        ({"ems": Counts(pushed=2, acknowledged=2, deleted=0, inbox=1)}, "still holds 1"),
        ({"ems": Counts(pushed=2, acknowledged=2, deleted=2)}, "EMS deleted 2"),
        ({"ems": Counts(pushed=3, acknowledged=2, deleted=1)}, "EMS counted 3 notifications"),
        (
            {"ems": Counts(pushed=2, acknowledged=1, deleted=1), "unacknowledged": {"b": "HTTP 500"}},
            "not acknowledged: 1 notifications (HTTP 500)",
        ),
    ],
)
def test_each_broken_promise_is_said(changes: dict[str, object], said: str) -> None:
    """Whatever is lost, dead, left over, or counted differently by two sides, is a problem of its own."""
    assert any(said in problem for problem in problems(dataclasses.replace(GOOD, **changes)))  # type: ignore[arg-type] # of the fields' types


def test_what_was_never_acknowledged_is_not_lost() -> None:
    """EMS still has a notification that it got no 200 for, so it is not lost."""
    assert not dataclasses.replace(GOOD, handled=frozenset("a"), unacknowledged={"b": ""}).lost
