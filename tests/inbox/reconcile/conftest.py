"""What the tests of reconciling share: a journal, and an EMS with an inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import InboxService
from soap_handler.journal import Journal
from tests.inbox.reconcile.reconciling import EMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


@pytest.fixture
def ems() -> Iterator[InboxService]:
    with InboxService([EMS]) as service:
        yield service
