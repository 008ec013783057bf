"""A PostgreSQL server that is shared, one that can be stopped, and a fresh database of either engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from tests.journal.ways import WAYS, Way
from tests.support.empty_journal import empty_journal
from tests.system.postgresql.server import StoppableServer, stoppable_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture(scope="session")
def stoppable() -> Iterator[StoppableServer]:
    with stoppable_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return empty_journal(tmp_path / "journal.db")
    return str(request.getfixturevalue("postgresql").empty_journal())


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Run the test both ways."""
    return WAYS[request.param]


@pytest.fixture
def beside(url: str) -> Iterator[Engine]:
    """Reach the same database beside the journal."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()
