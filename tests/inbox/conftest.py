"""A journal for each test that deletes: on SQLite, with tables that are made once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def empty_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once; each test has a copy."""
    path = tmp_path_factory.mktemp("empty") / "journal.db"
    Journal(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def url(tmp_path: Path, empty_journal: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_journal, tmp_path)}"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as journal:
        yield journal
