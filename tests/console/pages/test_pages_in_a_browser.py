"""The console in a real browser: found in three clicks, by keyboard, on a phone, in the dark, without script too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from soap_handler.console.pages import overview
from soap_handler.journal import Entry, State, questions
from soap_handler.journal.questions import browsing as journal_browsing
from soap_handler.notifications import MessageReceived
from tests.console.pages.browsing import complaints, content_width, look_at
from tests.console.pages.filled import Filled, console_on, fill, served, settings_of
from tests.support.waiting import wait_for
from tests.support.wire import REFERENCE
from tests.web.pages.chromium import BROWSER, DRIVER

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

PAGES: Final = [
    "/", "/messages", "/messages?number=07700+900104", "/messages/{dead}", "/messages/{repaired}", "/dead", "/waiting",
    "/reconciliations", "/destinations", "/accounts", "/settings",
]  # fmt: skip
NUMBER: Final = "07700 900104"
"""The national form of one originator."""


def exact_times(browser: Chrome) -> list[str | None]:
    return [each.get_attribute("datetime") for each in browser.find_elements(By.CSS_SELECTOR, ".timeline time")]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_message_is_found_by_its_number_in_three_clicks(
    browser: Chrome,
    filled: Filled,
    address: str,
    script: bool,  # noqa: FBT001 - a case
) -> None:
    """From the overview: Messages, Search, the row. Its timeline is that of the journal, to the millisecond."""
    look_at(browser, address, script=script)
    browser.find_element(By.LINK_TEXT, "Messages").click()
    browser.find_element(By.NAME, "number").send_keys(NUMBER)
    browser.find_element(By.XPATH, "//button[text()='Search']").click()
    wait_for(lambda: "number=" in browser.current_url)
    browser.find_element(By.CSS_SELECTOR, "#rows a").click()
    wait_for(lambda: "?" not in browser.current_url)
    assert "447700900104" in browser.find_element(By.TAG_NAME, "h1").text
    seq = int(browser.current_url.rpartition("/")[2])
    record = filled.journal.read(lambda connection: journal_browsing.record(connection, seq, timedelta()))
    assert record
    moments = [record.received_at, *(each.started_at for each in filled.journal.history(seq))]
    wanted = [moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") for moment in moments]
    assert exact_times(browser) == wanted
    assert complaints(browser) == []


def test_by_keyboard_alone(browser: Chrome, address: str) -> None:
    """The skip link, the form, a row and its timeline are reached by Tab and Enter, and the focus is seen."""
    look_at(browser, f"{address}/messages")
    press(browser, Keys.TAB)
    assert focused(browser).text == "Skip to the content"
    press(browser, Keys.ENTER)
    press(browser, Keys.TAB)
    assert focused(browser).get_attribute("name") == "number"
    assert focused(browser).value_of_css_property("outline-style") == "solid"
    press(browser, NUMBER, Keys.ENTER)
    wait_for(lambda: "number=" in browser.current_url)
    for _ in range(30):
        press(browser, Keys.TAB)
        if "/messages/" in (focused(browser).get_attribute("href") or ""):
            break
    press(browser, Keys.ENTER)
    wait_for(lambda: browser.find_elements(By.CLASS_NAME, "timeline"))
    summary = browser.find_element(By.CSS_SELECTOR, ".timeline summary")
    for _ in range(30):
        press(browser, Keys.TAB)
        if focused(browser) == summary:
            break
    press(browser, Keys.ENTER)
    assert "take_in" in browser.find_element(By.CSS_SELECTOR, ".timeline pre").text


def press(browser: Chrome, *keys: str) -> None:
    focused(browser).send_keys(*keys)


def focused(browser: Chrome) -> WebElement:
    return browser.switch_to.active_element


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_on_a_phone(browser: Chrome, filled: Filled, address: str, path: str, dark: bool) -> None:  # noqa: FBT001 - a case
    """At 360 pixels nothing is wider than the window, in the light and the dark; the browser complains of nothing."""
    look_at(browser, address + filled.path(path), width=360, dark=dark)
    assert content_width(browser) <= 360
    ground = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert (sum(map(int, ground[ground.index("(") + 1 : -1].split(",")[:3])) < 200) is dark
    assert complaints(browser) == []


def test_the_overview_refreshes_in_place(browser: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is new appears; focus and place stay; while paused, nothing moves."""
    monkeypatch.setattr(overview, "REFRESH_CHOICES", (1, 15))
    monkeypatch.setattr(overview, "KEPT_SECONDS", 0.0)
    with console_on(settings_of(tmp_path)) as console, served(console) as at:
        fill(console.journal)
        look_at(browser, at, width=600)
        link = browser.find_element(By.CSS_SELECTOR, "[data-live=flow] .big a")
        browser.execute_script("arguments[0].focus(); window.scrollTo(0, 150); window.same = 1", link)
        before = waiting(browser)
        console.journal.record(Entry(MessageReceived(account=REFERENCE, id="new"), console.journal.now()))
        wait_for(lambda: waiting(browser) == before + 1)
        assert (focused(browser).get_attribute("href") or "").endswith("state=received")
        assert browser.execute_script("return [window.scrollY, window.same]") == [150, 1]
        browser.find_element(By.ID, "pause").click()
        assert browser.find_element(By.ID, "pause").text == "Go on"
        assert complaints(browser) == []


def waiting(browser: Chrome) -> int:
    """Return how many wait for their handler, as the page says."""
    text = "return document.querySelectorAll('[data-live=flow] .big a')[0].textContent"
    return int(browser.execute_script(text))


def test_a_long_search_goes_on_by_itself(browser: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With script the rows come until all was looked through; without, the link leads there."""
    monkeypatch.setattr(journal_browsing, "FIRST_WINDOW", 2)
    monkeypatch.setattr(journal_browsing, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(journal_browsing, "SECONDS", 0.0)
    with console_on(settings_of(tmp_path)) as console, served(console) as at:
        now = console.journal.now()
        many = [MessageReceived(account=REFERENCE, id=f"m{each}", originator=f"44770090{each:04}") for each in range(9)]
        console.journal.record_all([Entry(each, now) for each in many])
        look_at(browser, f"{at}/messages?number=07700900000")
        wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "#rows td a:not(.next)"))
        wait_for(lambda: "These are all" in browser.find_element(By.ID, "rows").text)
        assert complaints(browser) == []
        look_at(browser, f"{at}/messages?number=07700900000", script=False)
        assert "none so far" in browser.find_element(By.ID, "rows").text
        for _ in range(4):
            browser.find_element(By.CSS_SELECTOR, "a.next").click()
        assert len(browser.find_elements(By.CSS_SELECTOR, "#rows td a:not(.next)")) == 1


def test_counts_are_those_of_the_journal(browser: Chrome, filled: Filled, address: str) -> None:
    """What a person reads in the flow is what the journal counts."""
    look_at(browser, address)
    shown = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "[data-live=flow] .big a")]
    counts = filled.journal.read(questions.states)
    assert shown == [str(counts[each]) for each in (State.RECEIVED, State.HANDLED, State.DONE, State.DEAD)]
