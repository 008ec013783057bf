"""XML that attacks its parser: refused or read, always in bounded time and memory, and nothing is fetched."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.wire import PATH, ask, envelope, header, message, operation, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Service

LIMIT: Final = 262_144
CPU_SECONDS: Final = 10.0  # the slowest takes a tenth of it; of this process, in which the service runs


def doctype(subset: str, text: str = "&a;") -> bytes:
    inner = envelope(operation(body="MARK")).decode().partition("?>")[2].replace("MARK", text)
    return f'<?xml version="1.0"?><!DOCTYPE x [{subset}]>{inner}'.encode()


def filled(before: str, unit: str, after: str) -> bytes:
    """Return an envelope that repeats something until it is nearly as large as a body may be."""
    frame = len(envelope(operation(body=before + after), header()))
    unit_of = unit if "{" in unit else unit.replace("{", "{{")
    parts, size, number = [], frame + 600, 0
    while size < LIMIT - 60:
        parts.append(unit_of.format(number))
        size += len(parts[-1])
        number += 1
    return envelope(operation(body="MARK")).replace(b"MARK", (before + "".join(parts) + after).encode())


LAUGHS: Final = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(10)
)

REFUSED: Final[dict[str, Callable[[], bytes]]] = {
    "a billion laughs": lambda: doctype(LAUGHS, "&k;"),
    "one long entity many times": lambda: doctype(f'<!ENTITY a "{"x" * 50_000}">', "&a;" * 40_000),
    "an entity of itself": lambda: doctype('<!ENTITY a "&b;"><!ENTITY b "&a;">'),
    "a file": lambda: doctype('<!ENTITY a SYSTEM "file:///etc/passwd">'),
    "a parameter entity": lambda: doctype('<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;', "x"),
    "a plain document type": lambda: doctype("", "x"),
    "attributes of a type": lambda: doctype("<!ATTLIST x y CDATA 'z'>", "x"),
    "deep nesting": lambda: filled("", "<a>", ""),
    "two hundred levels": lambda: envelope(operation(inner="<a>" * 200 + "</a>" * 200)),
    "a hundred thousand attributes": lambda: filled("<x ", 'a{0}="" ', "/>"),
    "namespaced attributes": lambda: filled('<x xmlns:p="u" ', 'p:a{0}="" ', "/>"),
}

BOUNDED: Final[dict[str, Callable[[], bytes]]] = {
    "namespaces": lambda: filled("<x ", 'xmlns:a{0}="u{0}" ', "/>"),
    "comments": lambda: filled("", "<!---->", ""),
    "processing instructions": lambda: filled("", "<?a?>", ""),
    "sections": lambda: filled("", "<![CDATA[]]>", ""),
    "elements": lambda: filled("", "<a/>", ""),
    "character references": lambda: filled("", "&#65;", ""),
    "illegal character references": lambda: filled("", "&#1;", ""),
    "surrogate references": lambda: filled("", "&#xD83D;", ""),
    "references in an attribute": lambda: filled('<x a="', "&#10;", '"/>'),
    "open brackets": lambda: filled("", "&lt;", ""),
    "raw open brackets": lambda: filled("", "<", ""),
    "ampersands": lambda: filled("", "&", ""),
    "ends of sections": lambda: filled("", "]]>", ""),
    "quotes": lambda: filled("<x a=", "'\"", "/>"),
    "long names": lambda: envelope(operation(inner=f"<{'a' * 200_000}/>")),
    "hrefs": lambda: filled("", '<a href="#a{0}"/>', ""),
    "white space": lambda: envelope(operation(inner=" " * 250_000)),
    "headers": lambda: envelope(head=header() + "<a/>" * 50_000),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_bounded_time(shared: Service, case: str) -> None:
    """A Client fault, soon, and without a word of what an entity may have led to."""
    body = REFUSED[case]()
    assert len(body) <= LIMIT
    begun = time.process_time()
    answer = shared.post(body)
    assert time.process_time() - begun < CPU_SECONDS
    assert answer.status == 500
    assert answer.fault is not None
    assert answer.fault[0] == "Client"
    assert b"root:" not in answer.body


@pytest.mark.parametrize("case", BOUNDED)
def test_it_is_answered_in_bounded_time(shared: Service, case: str) -> None:
    """Refused or taken: a SOAP answer in about the time that any quarter of a megabyte takes."""
    body = BOUNDED[case]()
    assert len(body) <= LIMIT
    begun = time.process_time()
    answer = shared.post(body)
    assert time.process_time() - begun < CPU_SECONDS
    assert answer.status in {200, 500}
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"


def test_nothing_outside_is_asked(shared: Service) -> None:
    """A document type, an entity, a schema location, an include and a stylesheet name a server: it is not called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        called = threading.Event()
        watcher = threading.Thread(target=_accept, args=(listener, called))
        watcher.start()
        good = message().decode().partition("?>")[2]
        located = f' xsi:schemaLocation="u {url}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        for body in (
            f'<!DOCTYPE x SYSTEM "{url}">{good}',
            f'<!DOCTYPE x [<!ENTITY a SYSTEM "{url}">]>{good}',
            f'<!DOCTYPE x [<!ENTITY % a SYSTEM "{url}"> %a;]>{good}',
            f'<?xml-stylesheet href="{url}"?>{good}',
            good.replace(" xmlns:soap=", f"{located} xmlns:soap=", 1),
            good.replace("Yes please", f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}"/>'),
        ):
            assert shared.post(body.encode()).headers["content-type"] == "text/xml; charset=utf-8"
        watcher.join()
    assert not called.is_set()


def _accept(listener: socket.socket, called: threading.Event) -> None:
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return
    called.set()


@pytest.mark.parametrize("action", ['"x:SubscriptionEvent"', '"com.esendex.ems.soapinterface/SubscriptionEvent"', '""'])
def test_the_soapaction_decides_nothing(service: Service, action: str) -> None:
    """Neither the operation nor the right to call it: both are read from the envelope."""
    taken = service.take(message(body="the real one"), f"SOAPAction: {action}")
    assert type(taken).__name__ == "MessageReceived"
    answer = service.post(envelope(head=header(password="wrong")), f"SOAPAction: {action}")
    assert answer.fault == ("Client", "Authentication failed")


def test_a_file_of_this_machine_does_not_get_into_a_message(service: Service, tmp_path: Path) -> None:
    """Not even where the entity is declared and used as the contract's own text."""
    secret = tmp_path / "secret"
    secret.write_text("hidden-in-a-file")
    answer = service.post(doctype(f'<!ENTITY a SYSTEM "file://{secret}">'))
    assert answer.status == 500
    assert b"hidden" not in answer.body
    assert service.handled == []


def test_headers_are_limited_in_size(shared: Service) -> None:
    """In one line or in many: a fault, and the connection is closed."""
    for lines in (["X-A: " + "y" * 20_000], [f"X-{number}: {'y' * 900}" for number in range(30)]):
        answer = shared.post(envelope(), *lines)
        assert (answer.status, answer.headers["connection"]) == (500, "close")
        assert answer.fault is not None
    assert shared.post(message(), "X-A: " + "y" * 8_000).status == 200


def test_a_long_address_is_limited_like_headers(shared: Service) -> None:
    """The first line counts as a header."""
    answer = ask(shared.port, request(envelope(), start=f"POST {PATH}?{'x' * 20_000} HTTP/1.1"))
    assert answer.fault is not None
