"""Whatever a stranger writes into a notification is text on each page, in a real browser: no script of theirs runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest
from markupsafe import escape
from selenium.webdriver.common.by import By

from soap_handler.journal import Entry, Selection, Settlement, State, Step
from soap_handler.notifications import (
    KINDS,
    ErrorType,
    EventCode,
    EventType,
    FailureReason,
    Kind,
    MessageType,
)
from tests.console.pages.browsing import complaints, look_at
from tests.console.pages.filled import LEASE, Filled, console_on, served, settings_of
from tests.console.pages.test_all_pages import Reader
from tests.support.wire import REFERENCE
from tests.web.pages.chromium import BROWSER, DRIVER, forget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

    from soap_handler.notifications import Notification

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium, chromedriver: not installed")

RUN: Final = "document.documentElement.dataset.broken=1"
PAYLOADS: Final = [
    f"<script>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"'><img src=x onerror={RUN}>",
    f'" autofocus onfocus="{RUN}',
    f"' onmouseover='{RUN}",
    f"<svg/onload={RUN}>",
    f"javascript:{RUN}",
    f"</title><script>{RUN}</script>",
    f"</textarea></select></table></pre><script>{RUN}</script>",
    f"<!--<script>{RUN}//-->",
    f"<a href=javascript:{RUN}>click</a>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&#60;img src=x onerror={RUN}&#62;",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    "<base href=//192.0.2.1/><form action=//192.0.2.1/><button>Search</button>",
    "<meta http-equiv=refresh content='0;url=//192.0.2.1/'>",
    "<style>*{display:none}</style><link rel=stylesheet href=//192.0.2.1/>",
    "{{ 7 * 191 }}{% raw %}{{ config }}",
    f"`${{{RUN}}}`\\u003cscript>\u2028\u202e<b>",
    f"\x00<\x00script>{RUN}</script>\x1b]0;\x07",
    f"<math><mi//xlink:href='data:x,<script>{RUN}</script>'>",
]
WHEN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)


def notifications_of(text: str) -> list[Notification]:
    """Return the four kinds with this text in each field that the wire fills."""
    shared: dict[str, Any] = {
        "notification_id": text,
        "original": {"occurred_at": text, text: text},
        "repaired": (f"{text} unreadable", text),
    }
    names = {
        Kind.MESSAGE_RECEIVED: ("id", "originator", "recipient", "body", "type"),
        Kind.MESSAGE_EVENT: ("id", "event_type"),
        Kind.MESSAGE_ERROR: ("id", "error_type", "detail", "failure_reason"),
        Kind.SUBSCRIPTION_EVENT: ("mobile_number", "contact_id", "event_code"),
    }
    values: dict[str, Any] = {"type": MessageType(text), "event_type": EventType(text), "error_type": ErrorType(text)}
    values |= {"event_code": EventCode(text), "failure_reason": FailureReason(1, text)}
    shared |= {"account": REFERENCE}
    return [KINDS[kind](**{name: values.get(name, text) for name in names[kind]}, **shared) for kind in Kind]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Store each payload in each kind, with a request, an error and a trace that say it too."""
    with console_on(settings_of(tmp_path_factory.mktemp("hostile"))) as console:
        journal = console.journal
        for text in PAYLOADS:
            request = f"<a b='{quote(text)}'><![CDATA[{text}]]></a>".encode()
            journal.record_all([Entry(each, journal.now(), envelope=request) for each in notifications_of(text)])
        for claim in journal.claim(999, LEASE):
            text = PAYLOADS[(claim.seq - 1) // 4]
            at = claim.leased_at
            journal.settle(
                [Settlement(claim, Step.HANDLE, State.DEAD, None, at, at, f"ValueError: {text}", trace=f"> {text}")]
            )
        yield console


@pytest.fixture(scope="module")
def browser(one_chromium: Chrome) -> Chrome:
    forget(one_chromium)
    one_chromium.implicitly_wait(0)
    return one_chromium


@pytest.fixture(scope="module")
def address(hostile: Filled) -> Iterator[str]:
    with served(hostile) as at:
        yield at


def assert_unharmed(browser: Chrome, address: str) -> None:
    """Nothing ran, nothing was refused by the policy (so nothing was there to run), and we are where we were."""
    state = (
        "return [document.documentElement.dataset.broken ?? null, location.origin, !!document.querySelector('main')]"
    )
    assert browser.execute_script(state) == [None, address, True]
    strangers = (
        "main script, main style, main iframe, main base, main meta, main link, main img, main [onerror], main [onload]"
    )
    assert browser.find_elements(By.CSS_SELECTOR, strangers) == []
    assert complaints(browser) == []


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_a_message_shows_it_as_text(browser: Chrome, address: str, number: int) -> None:
    """In each field, in the request, the error and the trace: a kind for each text, one after the other."""
    text = PAYLOADS[number]
    look_at(browser, f"{address}/messages/{number * 4 + 1 + number % 4}")
    browser.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    assert_unharmed(browser, address)
    shown = browser.execute_script("return document.querySelector('main').textContent")
    assert "ValueError: " + text.replace("\x00", "") in shown


def test_each_kind_of_message_shows_each_text_as_text(hostile: Filled) -> None:
    """The page is as sound as any other, and has the text with each sign of HTML escaped."""
    client = hostile.app.test_client()
    for seq in range(1, 4 * len(PAYLOADS) + 1):
        text = PAYLOADS[(seq - 1) // 4]
        page = client.get(f"/messages/{seq}").get_data(as_text=True)
        reader = Reader()
        reader.feed(page)
        assert (reader.open, reader.wrong) == ([], []), text
        assert str(escape(f"ValueError: {text}".replace("\x00", ""))) in page.replace("\x00", "")


@pytest.mark.parametrize("path", ["/", "/messages", "/messages?state=dead", "/dead", "/waiting"])
def test_a_list_shows_it_as_text(browser: Chrome, hostile: Filled, address: str, path: str) -> None:
    """Each payload at once; on the dead page each is a group with a form of its own, which leads nowhere else."""
    look_at(browser, address + path)
    assert_unharmed(browser, address)
    forms = browser.execute_script("return [...document.forms].map((form) => new URL(form.action).origin)")
    assert set(forms) <= {address}
    assert len(hostile.journal.records(Selection())) == 4 * len(PAYLOADS)


def test_a_query_comes_back_as_text(browser: Chrome, address: str) -> None:
    """What was looked for stands in the form again, whatever it is, and in the links to the files."""
    for text in PAYLOADS:
        said = quote(text.replace("\x00", ""))
        look_at(browser, f"{address}/messages?error={said}&id={said}&account={said}")
        assert_unharmed(browser, address)
        value = browser.find_element(By.NAME, "error").get_attribute("value") or ""
        assert value == text.replace("\x00", "").strip()
    for path in ("/reconciliations?account=", "/?refresh=", "/messages?number=", "/messages?state=", "/nowhere"):
        look_at(browser, f"{address}{path}{quote(PAYLOADS[1])}")
        found = [each for each in complaints(browser) if "Failed to load resource" not in each]
        assert found == []
        assert browser.execute_script("return document.documentElement.dataset.broken ?? null") is None
