"""A filled journal with the console on it, for all tests of a file: they look, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.pages.filled import Filled, console_on, fill, served, settings_of
from tests.web.pages.chromium import forget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with console_on(settings_of(tmp_path_factory.mktemp("console"))) as made:
        fill(made.journal)
        yield made


@pytest.fixture(scope="module")
def browser(one_chromium: Chrome) -> Chrome:
    """Give the browser of all files, as it was at its start."""
    forget(one_chromium)
    return one_chromium


@pytest.fixture(scope="module")
def address(filled: Filled) -> Iterator[str]:
    with served(filled) as at:
        yield at
