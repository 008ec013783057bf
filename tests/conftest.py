"""Fixtures for whoever needs a running service: one for each test, or one for all tests of a file."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

from tests.support.service import Service, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system, not a file
_ENOUGH: Final = 2 * 2**30  # bytes

# Thousands of tests wait for a disk at every commit, and none of them is about the disk's speed or about the power
# failing (a campaign is). So their folders are in memory, where there is a file system for that, unless told otherwise.
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # ask again

# A test passes or fails by what the code is, not by the day's luck: its examples are the same until it changes.
# With --hypothesis-profile=search they are new in each run.
settings.register_profile("search", settings.default)
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


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
