"""The tests of ``fast/`` take the fast path, whatever the other tests are told to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import fast_path as fast_path_setting

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def fast_path() -> Iterator[fast_path_setting.FastPath]:
    """Have the services of these tests use the accelerations."""
    fast_path_setting.choose("auto")
    yield "auto"
    fast_path_setting.choose("auto")
