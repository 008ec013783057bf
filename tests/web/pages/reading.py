"""Reading of pages in tests: GET over a socket, and the elements of what came."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from lxml import etree

from tests.support.wire import ask, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

    from tests.support.wire import Answer

LOCAL = "127.0.0.1:80"


def get(port: int, target: str, *headers: str, host: str = LOCAL, method: str = "GET") -> Answer:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return ask(port, "\r\n".join(lines).encode("latin-1"))


def read(port: int, target: str, *headers: str, host: str = LOCAL) -> Element:
    """Return the page at an address."""
    return page_in(get(port, target, *headers, host=host))


def page_in(answer: Answer) -> Element:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return etree.fromstring(answer.body, etree.HTMLParser(encoding="utf-8"))


def texts(page: Element, path: str) -> list[str]:
    """Return the whole text of each element at a path."""
    found = page.xpath(path)
    assert isinstance(found, list)
    return ["".join(map(str, each.itertext())) if isinstance(each, etree._Element) else str(each) for each in found]


def send_form(port: int, form: Mapping[str, str], *headers: str, host: str = LOCAL) -> Answer:
    """Post a filled-in test form, as a browser does."""
    body = urlencode(form).encode()
    start = "POST /AccountEventHandler/test HTTP/1.1"
    raw = request(body, "Content-Type: application/x-www-form-urlencoded", *headers, start=start)
    return ask(port, raw.replace(b"Host: localhost", f"Host: {host}".encode()))


def filled_in(page: Element, **values: str) -> dict[str, str]:
    """Return what a browser sends for the form of a page, with these values typed in."""
    form = {
        str(each.get("name")): str(each.get("value", "")) if each.tag == "input" else _content(each)
        for each in page.iter("input", "textarea", "select")
    }
    assert values.keys() <= form.keys()
    return form | values


def _content(element: Element) -> str:
    if element.tag == "textarea":
        return "".join(map(str, element.itertext())).removeprefix("\n")
    options = list(element.iter("option"))
    chosen = next((each for each in options if "selected" in each.attrib), options[0])
    return str(chosen.get("value", chosen.text))
