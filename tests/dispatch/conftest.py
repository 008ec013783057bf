"""A journal in a file, what is logged, and a handler that is let go in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.journal import Journal
from tests.dispatch.dispatching import Hanging
from tests.support.empty_journal import empty_journal
from tests.support.events import captured_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return empty_journal(tmp_path / "journal.db")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal(url) as opened:
        yield opened


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    with captured_events() as lines:
        yield lines


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    handler = Hanging("1", "2")
    yield handler
    handler.go_on.set()
