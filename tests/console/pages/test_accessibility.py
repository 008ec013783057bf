"""What axe-core says of each page in a real browser: wide and on a phone, in the light and in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.console.pages.browsing import findings, look_at
from tests.console.pages.filled import Filled, console_on, served, settings_of
from tests.web.pages.chromium import BROWSER, DRIVER, show

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

PAGES: Final = [
    "/", "/?refresh=15", "/messages", "/messages?number=07700+900104", "/messages?since=nonsense", "/messages/{dead}",
    "/messages/{repaired}", "/messages/99999", "/dead", "/waiting", "/reconciliations", "/destinations", "/accounts",
    "/settings", "/audit", "/login",
]  # fmt: skip
EMPTY: Final = ["/", "/messages", "/dead", "/waiting", "/reconciliations", "/audit"]


def assert_accessible(browser: Chrome, address: str) -> None:
    """All rules hold at both widths; of the colours of the dark, contrast alone can differ."""
    look_at(browser, address)
    found = {"wide": findings(browser)}
    show(browser, width=1280, dark=True)
    found["wide, dark"] = findings(browser, "color-contrast")
    show(browser, width=360, dark=True)
    found["phone, dark"] = findings(browser, "color-contrast")
    show(browser, width=360)
    found["phone"] = findings(browser)
    assert {where: each for where, each in found.items() if each} == {}


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(browser: Chrome, filled: Filled, address: str, path: str) -> None:
    """Names, roles, landmarks, order and contrast are as WCAG has them."""
    assert_accessible(browser, address + filled.path(path))


def test_it_finds_nothing_where_nothing_is(browser: Chrome, tmp_path: Path) -> None:
    """Each list has a page of its own for no row at all."""
    with console_on(settings_of(tmp_path)) as console, served(console) as at:
        for path in EMPTY:
            assert_accessible(browser, at + path)


def test_it_would_find_something(browser: Chrome, address: str) -> None:
    """A page without contrast, and a field without a name: both are found."""
    look_at(browser, f"{address}/messages")
    browser.execute_script(
        "document.querySelector('h1').style.color = '#eee'; document.querySelector('[for=f-state]').remove()"
    )
    found = " ".join(findings(browser))
    assert "color-contrast" in found
    assert "select-name" in found
