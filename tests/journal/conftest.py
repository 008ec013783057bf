"""What the journal's tests share: an engine, a fresh database, a clock to set, the plain and the fast way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal
from tests.journal.entries import Clock
from tests.journal.ways import WAYS, Way
from tests.support.empty_journal import empty_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return empty_journal(tmp_path / "journal.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty journal."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("postgresql").empty_journal())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Run the test both ways."""
    return WAYS[request.param]


@pytest.fixture
def journal(url: str, clock: Clock, way: Way) -> Iterator[Journal]:
    with Journal(url, clock=clock, **way) as opened:
        yield opened
