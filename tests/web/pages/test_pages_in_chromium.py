"""The pages in a real browser, without JavaScript: they work, are readable on a phone and in the dark, and obey."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from soap_handler.contract import OPERATIONS
from soap_handler.notifications import MessageReceived
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import PASSWORD, PATH, REFERENCE, USERNAME
from tests.web.pages.chromium import BROWSER, DRIVER, chromium, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

TARGETS = ["/", f"{PATH}.asmx", *(f"{PATH}.asmx?op={kind.value}" for kind in OPERATIONS)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium("performance") as driver:
        yield driver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(settings_for(tmp_path_factory.mktemp("browser"))) as service:
        yield service


def visit(browser: Chrome, service: Service, target: str) -> None:
    browser.get_log("browser")  # type: ignore[no-untyped-call] # what came before is read away
    browser.get_log("performance")  # type: ignore[no-untyped-call]
    browser.get(f"http://127.0.0.1:{service.port}{target}")


def complaints(browser: Chrome) -> list[str]:
    """Return what the browser says is wrong with the page: a broken policy, a missing file."""
    log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in log if entry["level"] in {"SEVERE", "WARNING"}]


def requested(browser: Chrome) -> set[str]:
    """Return the addresses that the browser asked for."""
    log: list[dict[str, Any]] = browser.get_log("performance")  # type: ignore[no-untyped-call]
    messages = [json.loads(entry["message"])["message"] for entry in log]
    return {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}


def css(browser: Chrome, selector: str, name: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).value_of_css_property(name)


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(…)`` (WCAG 2.2)."""
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(factor * each for factor, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("target", TARGETS)
def test_a_page_is_complete_with_one_request(browser: Chrome, running: Service, target: str) -> None:
    """Nothing is asked of elsewhere, nothing is missing, and the page keeps its own policy."""
    show(browser)
    visit(browser, running, target)
    assert requested(browser) - {"data:,"} == {f"http://127.0.0.1:{running.port}{target}"}
    assert complaints(browser) == []
    assert css(browser, "main", "max-width") != "none"  # the style is applied


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_fits_on_a_phone(browser: Chrome, running: Service, target: str, dark: bool) -> None:  # noqa: FBT001 - a case
    """At 360 pixels nothing is wider than the window: what is long wraps, or scrolls in its own box."""
    show(browser, width=360, dark=dark)
    visit(browser, running, target)
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    assert size["width"] <= 360


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_is_readable_in_the_light_and_in_the_dark(browser: Chrome, running: Service, dark: bool) -> None:  # noqa: FBT001 - a case
    """Text stands out from its ground as WCAG demands (4.5 to 1), and the dark page is dark."""
    show(browser, dark=dark)
    visit(browser, running, f"{PATH}?op=MessageReceived")
    ground = css(browser, "body", "background-color")
    assert (luminance(ground) < 0.1) is dark
    for selector in ("h1", "main > p", "a", "label", "thead th", "input"):
        assert contrast(css(browser, selector, "color"), ground) >= 4.5, selector
    for selector in ("pre.head", "pre + pre", "button"):
        assert contrast(css(browser, selector, "color"), css(browser, selector, "background-color")) >= 4.5, selector


def test_from_the_list_to_a_test_that_is_handled(browser: Chrome, running: Service) -> None:
    """A person clicks through: root, list, operation, form, answer; and the journal holds what was sent."""
    show(browser)
    visit(browser, running, "/")
    browser.find_element(By.TAG_NAME, "a").click()
    browser.find_element(By.LINK_TEXT, "MessageReceived").click()
    for name, text in (("username", USERNAME), ("password", PASSWORD), ("account", REFERENCE)):
        browser.find_element(By.NAME, name).send_keys(text)
    body = browser.find_element(By.NAME, "body")
    body.clear()
    body.send_keys("Hello from <b>Chromium</b>")
    Select(browser.find_element(By.NAME, "type")).select_by_visible_text("Unicode")
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    assert browser.find_element(By.CSS_SELECTOR, "[role=status]").text.startswith("Taken")
    assert PASSWORD not in browser.page_source
    assert complaints(browser) == []
    wait_for(lambda: running.handled)
    taken = running.handled[-1]
    assert isinstance(taken, MessageReceived)
    assert (taken.body, taken.type) == ("Hello from <b>Chromium</b>", "Unicode")


def test_a_wrong_password_is_seen(browser: Chrome, running: Service) -> None:
    """The answer says what EMS would be told."""
    show(browser)
    visit(browser, running, f"{PATH}.asmx/?op=MessageEvent")
    for name in ("username", "password", "account"):
        browser.find_element(By.NAME, name).send_keys("wrong")
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    assert browser.find_element(By.CSS_SELECTOR, "[role=alert]").text.startswith("Not taken")
    assert "Authentication failed" in browser.find_element(By.TAG_NAME, "main").text


def test_by_a_public_name_there_is_no_form(browser: Chrome, running: Service) -> None:
    """The sentence in its place says where it is shown."""
    visit(browser, running, PATH)
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"X-Forwarded-For": "192.0.2.1"}})
    try:
        visit(browser, running, f"{PATH}?op=MessageEvent")
        assert "<form" not in browser.page_source
        assert "only shown to browsers on the machine" in browser.find_element(By.TAG_NAME, "main").text
    finally:
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})


@pytest.mark.parametrize("target", TARGETS[1:3])
def test_a_sample_is_selected_whole_by_one_click(browser: Chrome, running: Service, target: str) -> None:
    """So it can be copied without JavaScript."""
    show(browser)
    visit(browser, running, target)
    assert {each.value_of_css_property("user-select") for each in browser.find_elements(By.TAG_NAME, "pre")} == {"all"}
