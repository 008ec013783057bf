"""What libxml2 remembers of a document: names, prefixes, namespaces, white space. A stranger cannot fill the memory."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.errors import MalformedError
from soap_handler.fast.usual_reader import UsualReader
from soap_handler.xml.parser import forget_names, read_document, safe_parser
from tests.support.wire import PASSWORD, envelope, header, message, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service

GROWTH_BYTES: Final = 5 * 1024 * 1024
PIECES: Final = 40  # of each request
LONG: Final = "n" * 100

STRICT: Final = {
    "element names": "<n{}/>",
    "attribute names": "<a n{}='1'/>",
    "prefixes": "<a xmlns:n{}='urn:a'/>",
    "namespaces": "<a xmlns='urn:{}'/>",
    "instructions": "<?n{} x?>",
    "white space": "<a>{}</a>",
}
REPAIRED: Final = {
    "undeclared prefixes": "<n{}:a/>",
    "control characters": "<n{}/>&#1;",
}


def _bodies(kind: str, piece: str, count: int, head: str | None = None) -> list[bytes]:
    """Return requests in each of which all names of a kind are new."""
    name = f"{LONG * (2_000 // count)}@{kind[:3]}{{}}" if kind != "white space" else "@{}"
    parts = (piece.format(name.format(_blank(each, 6) if kind == "white space" else each)) for each in range(PIECES))
    template = envelope(operation(inner="".join(parts)), head)
    return [
        template.replace(b"@", (_blank(number, 50) if kind == "white space" else f"{count}_{number}_").encode())
        for number in range(count)
    ]


def _blank(number: int, width: int) -> str:
    """Return a number as white space."""
    return f"{number:0{width}b}".replace("0", " ").replace("1", "\t")


def _resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def _growth(bodies: list[bytes], read: Callable[[bytes], object]) -> int:
    """Return by how much the memory grows over these requests, the first of which warm everything up."""
    for body in bodies[:20]:
        read(body)
    gc.collect()
    before = _resident()
    for body in bodies[20:]:
        read(body)
    gc.collect()
    return _resident() - before


def _read_generally(body: bytes) -> None:
    try:
        read_document(body)
    except MalformedError:
        return


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("kind", STRICT)
def test_new_names_in_each_request_cost_no_memory(kind: str) -> None:
    """500 requests by the plain way, with names of 400 characters: each document is gone with all its names."""
    assert _growth(_bodies(kind, STRICT[kind], 500), _read_generally) < GROWTH_BYTES


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("kind", REPAIRED)
def test_nor_where_the_request_is_repaired(kind: str) -> None:
    """It is parsed twice or three times then."""
    assert _growth(_bodies(kind, REPAIRED[kind], 400), _read_generally) < GROWTH_BYTES


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("password", [PASSWORD, "guess"])
def test_new_names_cost_the_quick_way_no_memory_either(password: str) -> None:
    """Whether the envelope around them is in its cache or not, and while the plain way reads in the same thread."""
    reader = UsualReader()
    assert reader.read([message()]) != [None]

    def read(body: bytes) -> None:
        assert reader.read([body]) == [None]
        _read_generally(body)

    bodies = _bodies("element names", STRICT["element names"], 500, header(password=password))
    assert _growth(bodies, read) < GROWTH_BYTES


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
def test_a_stranger_fills_no_memory_of_a_service(shared: Service) -> None:
    """2,000 requests without a password: each has 40 names that are new, and each is refused."""
    bodies = _bodies("element names", STRICT["element names"], 2_000, header(password="guess"))
    answers: Counter[int] = Counter()

    def ask(body: bytes) -> None:
        answers[shared.post(body).status] += 1

    assert _growth(bodies, ask) < GROWTH_BYTES
    assert answers == {500: 2_000}


def test_a_document_outlives_the_names_of_its_thread() -> None:
    """What was parsed before stays whole; a parser that is made afterwards reads the same."""
    document = read_document(b"<a xmlns='urn:a'><b c='1'>text</b></a>")
    before = forget_names(0)
    assert forget_names(10**6) == before + 1
    (child,) = document.root
    assert (child.tag, child.get("c"), child.text) == ("{urn:a}b", "1", "text")
    again = read_document(b"<a xmlns='urn:a'><b c='1'>text</b></a>")
    assert [element.tag for element in again.root.iter("{urn:a}b")] == ["{urn:a}b"]
    assert safe_parser() is not safe_parser()
