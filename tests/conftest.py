"""Fixtures for whoever needs a running service: one for each test, or one for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.service import Service, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a service of this test alone."""
    with serving(settings_for(tmp_path)) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service of all tests in a file: they must not look at what the others sent."""
    with serving(settings_for(tmp_path_factory.mktemp("service"))) as running:
        yield running
