"""What the tests of access share: a journal, and a console with two users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal
from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import USERS, console_over
from tests.journal.entries import Clock
from tests.support.empty_journal import empty_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    with Journal(empty_journal(tmp_path / "journal.db"), clock=clock) as opened:
        yield opened


@pytest.fixture
def app(journal: Journal, tmp_path: Path) -> Flask:
    """Return a console with an operator and a viewer."""
    return console_over(journal, tmp_path, ConsoleSettings(user=USERS))
