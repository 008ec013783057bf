"""A shift of an operator in a real browser: login, a number that support asks for, dead ones sent again, the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.journal import Entry, Selection, Settlement, State, Step
from soap_handler.metrics.catalogue import CIRCUIT_OPEN
from soap_handler.notifications import MessageReceived
from soap_handler.settings import ConsoleSettings
from tests.console.pages.browsing import complaints, content_width, findings, look_at
from tests.console.pages.filled import LEASE, Filled, console_on, fill, served, settings_of
from tests.support.waiting import wait_for
from tests.support.wire import REFERENCE
from tests.web.pages.chromium import BROWSER, DRIVER, forget, show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytest.importorskip("soap_handler.console.access", reason="the console asks for no login")
pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

PASSWORD: Final = "correct horse"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Filled]:
    """Open a console that has one user, an operator."""
    user = {"name": "olga", "password": SecretStr(str(PasswordHash.of(PASSWORD, ln=4))), "role": "operator"}
    console = ConsoleSettings.model_validate({"port": 0, "user": [user]})
    with console_on(settings_of(tmp_path).model_copy(update={"console": console}), guarded=True) as made:
        fill(made.journal)
        yield made


@pytest.fixture(autouse=True)
def _stranger(browser: Chrome) -> None:
    """Nothing is left of the test before."""
    forget(browser)


def click(browser: Chrome, button: str) -> None:
    """Press a button, and wait for the page behind it."""
    old = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.XPATH, f"//main//button[starts-with(normalize-space(), '{button}')]").click()
    wait_for(lambda: browser.find_element(By.TAG_NAME, "html") != old)


def log_in(browser: Chrome, address: str) -> None:
    """Open a page; the way to it is the form of the login."""
    look_at(browser, address)
    browser.find_element(By.NAME, "name").send_keys("olga")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    click(browser, "Log in")


def main_text(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def dead(console: Filled) -> int:
    return len(console.journal.records(Selection(state=State.DEAD)))


def test_a_shift(guarded: Filled, browser: Chrome) -> None:
    """What a person does is counted before, confirmed, done, and noted with the person's name."""
    with served(guarded) as at:
        log_in(browser, f"{at}/messages")
        browser.find_element(By.NAME, "number").send_keys("07700 900109")
        click(browser, "Search")
        browser.find_element(By.CSS_SELECTOR, "#rows a").click()
        wait_for(lambda: "from 447700900109" in main_text(browser))
        assert "KeyError: no order 7" in main_text(browser)

        click(browser, "Retry")
        assert main_text(browser).startswith("Retry\n1 dead")
        click(browser, "Retry 1")
        assert "1 sent round again." in main_text(browser)
        assert dead(guarded) == 3

        look_at(browser, f"{at}/dead")
        click(browser, "Retry 2")
        assert main_text(browser).startswith("Retry\n2 dead")
        assert dead(guarded) == 3  # it asks first
        click(browser, "Retry 2")
        assert "2 sent round again." in main_text(browser)
        assert dead(guarded) == 1

        look_at(browser, f"{at}/audit", width=360)
        rows = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "tbody tr")]
        assert len(rows) == 2
        assert all("olga" in row and "retry" in row for row in rows)
        assert "no order 7" in rows[0]
        assert content_width(browser) <= 360
        assert complaints(browser) == []


def test_axe_finds_nothing_where_it_asks(guarded: Filled, browser: Chrome) -> None:
    """The page that asks, with a field for the reason, and the audit trail with a row, on a phone too."""
    with served(guarded) as at:
        log_in(browser, f"{at}/waiting")
        click(browser, "Give up 1")
        assert findings(browser) == []
        show(browser, width=360)
        assert findings(browser) == []
        assert content_width(browser) <= 360
        click(browser, "Give up 1")
        look_at(browser, f"{at}/audit", width=360)
        assert findings(browser) == []


def test_by_keyboard_alone_and_without_script(guarded: Filled, browser: Chrome) -> None:
    """The login, the dead of one error sent round again, and the audit row: Tab, Enter and letters are enough."""
    with served(guarded) as at:
        look_at(browser, f"{at}/dead", script=False)
        browser.switch_to.active_element.send_keys("olga", Keys.TAB)
        browser.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
        wait_for(lambda: "no order 7" in main_text(browser))
        press_when_reached(browser, "Retry 3")
        wait_for(lambda: "3 dead" in main_text(browser))
        press_when_reached(browser, "Retry 3")
        wait_for(lambda: "3 sent round again." in main_text(browser))
        assert dead(guarded) == 1
        press_when_reached(browser, "Audit")
        wait_for(lambda: "olga" in main_text(browser))


def press_when_reached(browser: Chrome, text: str) -> None:
    """Press Tab until the element with this text has the focus, which is seen; then Enter."""
    old = browser.find_element(By.TAG_NAME, "html")
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.switch_to.active_element.text == text:
            break
    focused = browser.switch_to.active_element
    assert (focused.text, focused.value_of_css_property("outline-style")) == (text, "solid")
    focused.send_keys(Keys.ENTER)
    wait_for(lambda: browser.find_element(By.TAG_NAME, "html") != old)


def test_a_hostile_filter_is_text_when_it_is_asked_about(guarded: Filled, browser: Chrome) -> None:
    """The page that asks shows what was filled in, and so does the audit trail: nothing of it runs."""
    text = "'><img src=x onerror=document.documentElement.dataset.broken=1>"
    with served(guarded) as at:
        sent = MessageReceived(account=REFERENCE, id="hostile", originator="447700900177")
        guarded.journal.record(Entry(sent, guarded.journal.now()))
        for claim in guarded.journal.claim(99, LEASE):
            at_once = claim.leased_at
            ended = Settlement(claim, Step.HANDLE, State.DEAD, None, at_once, at_once, f"ValueError: {text}")
            guarded.journal.settle([ended])
        log_in(browser, f"{at}/messages?state=dead&error={quote(text)}")
        click(browser, "Retry the dead")
        assert text in main_text(browser)
        click(browser, "Retry")
        look_at(browser, f"{at}/audit")
        assert text in main_text(browser)
        assert browser.execute_script("return document.documentElement.dataset.broken ?? null") is None
        browser.implicitly_wait(0)
        assert browser.find_elements(By.CSS_SELECTOR, "main img") == []
        assert complaints(browser) == []


def test_all_that_were_selected(guarded: Filled, browser: Chrome) -> None:
    """Boxes are ticked, the page asks with their number, and those are given up, with the reason in their history."""
    with served(guarded) as at:
        log_in(browser, f"{at}/messages?state=received&kind=MessageReceived")
        browser.find_element(By.CSS_SELECTOR, "[aria-label='Select all on this page']").click()
        click(browser, "Give up")
        assert "3 waiting" in main_text(browser)
        browser.find_element(By.NAME, "reason").send_keys("a vote of last year")
        click(browser, "Give up 3")
        assert dead(guarded) == 7
        look_at(browser, f"{at}/dead")
        assert "a vote of last year" in main_text(browser)


def test_a_breaker_opens_and_closes(guarded: Filled, browser: Chrome) -> None:
    """The page of the destinations has it at once, and the reconciliation's counts are where the overview says."""
    with served(guarded) as at:
        log_in(browser, f"{at}/destinations")
        for value, text in ((1.0, "open nothing is delivered for now by 1 worker of this service"), (0.0, "closed")):
            guarded.slot.set(CIRCUIT_OPEN, ("sink", "python"), value)
            look_at(browser, f"{at}/destinations")
            assert text in browser.find_element(By.XPATH, "//section[h2[@id='h-python']]").text
        look_at(browser, at)
        assert "9 in the inbox = 7 known + 1 recovered + 1 unreadable" in main_text(browser)
