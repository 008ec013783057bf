"""What the tests of reconciling share: a journal, and an EMS with an inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import InboxService
from soap_handler.journal import Journal
from tests.cli.conftest import run
from tests.inbox.reconcile.reconciling import EMS
from tests.support.empty_journal import empty_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["run"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return empty_journal(tmp_path / "journal.db")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


@pytest.fixture
def ems() -> Iterator[InboxService]:
    with InboxService([EMS]) as service:
        yield service
