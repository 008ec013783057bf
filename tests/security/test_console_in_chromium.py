"""The console in a real browser: its own forms get through its guards, and the forms of other web sites do not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from selenium.webdriver.common.by import By

from soap_handler.ems.listener import Listener
from soap_handler.journal import Journal, Selection, State, trail
from soap_handler.settings import ConsoleSettings
from tests.console.access.desk import PASSWORD, USERS, store_dead
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.web.pages.chromium import BROWSER, DRIVER, forget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

ATTACK: Final = """<!doctype html><form method="post" action="http://127.0.0.1:{port}/actions/retry">
<input name="confirm" value="2"><input name="csrf" value="0"><button>win</button></form>
<img src="http://127.0.0.1:{port}/audit"><a href="http://127.0.0.1:{port}/audit">look</a>"""


@pytest.fixture(scope="module")
def browser(one_chromium: Chrome) -> Chrome:
    forget(one_chromium)
    return one_chromium


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with two notifications that are dead."""
    settings = settings_for(tmp_path_factory.mktemp("browser"))
    with Journal(settings.journal.url.get_secret_value()) as journal:
        store_dead(journal, 1, 2)
    console = ConsoleSettings(port=0, user=USERS)
    with serving(settings.model_copy(update={"console": console})) as running:
        yield running


@contextmanager
def another_site(page: str) -> Iterator[int]:
    """Serve a page at another origin; give its port. At the end no connection is left, which Chromium opens ahead."""

    def site(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(page)))])
        return [page.encode()]

    with Listener(site) as listener:
        yield listener.port


def address(service: Service, path: str) -> str:
    assert service.app.console is not None
    return f"http://127.0.0.1:{service.app.console.port}{path}"


def log_in(browser: Chrome, service: Service) -> None:
    browser.delete_all_cookies()
    browser.get(address(service, "/audit"))
    browser.find_element(By.NAME, "name").send_keys("olga")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "form.login button").click()
    wait_for(lambda: "<h1>Audit</h1>" in browser.page_source)


def dead(service: Service) -> int:
    return len(service.app.journal.records(Selection(state=State.DEAD)))


def test_the_form_of_another_site_is_refused(browser: Chrome, service: Service) -> None:
    """With the operator's own cookie in the browser: the guard names the other site, and nothing is done."""
    log_in(browser, service)
    assert service.app.console is not None
    with another_site(ATTACK.format(port=service.app.console.port)) as port:
        browser.get(f"http://localhost:{port}/")
        browser.find_element(By.TAG_NAME, "button").click()
        wait_for(lambda: "another web site" in browser.page_source)
        browser.get(f"http://localhost:{port}/")
        assert browser.execute_script("return document.images[0].naturalWidth") == 0
        browser.find_element(By.LINK_TEXT, "look").click()  # a link is followed, and the session is there
        wait_for(lambda: "<h1>Audit</h1>" in browser.page_source)
    assert dead(service) == 2
    assert trail(service.app.journal, 9) == []


def test_an_operator_acts_from_login_to_the_audit_row(browser: Chrome, service: Service) -> None:
    """The browser's own headers (Origin, Sec-Fetch-Site, cookies) pass the guards; the page keeps its own policy."""
    log_in(browser, service)
    browser.get_log("browser")  # type: ignore[no-untyped-call] # what came before is read away
    # A page with dead notifications has such a form; here the one to log out is made into it.
    browser.execute_script(
        "const form = document.forms[0]; form.action = '/actions/retry';"
        "form.append(Object.assign(document.createElement('input'), {name: 'state', value: 'dead'})); form.submit()"
    )
    wait_for(lambda: "2 dead" in browser.page_source)
    browser.find_element(By.CSS_SELECTOR, "main form button").click()
    wait_for(lambda: dead(service) == 0)
    browser.get(address(service, "/audit"))
    cells = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "tbody td")]
    assert cells[1:6] == ["olga", "127.0.0.1", "retry", "state=dead", "2"]
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [each["message"] for each in log if "favicon" not in each["message"]] == []
