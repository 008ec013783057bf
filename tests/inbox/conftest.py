"""A journal for each test that deletes, on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal
from tests.support.empty_journal import empty_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return empty_journal(tmp_path / "journal.db")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as journal:
        yield journal
