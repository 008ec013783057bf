"""What libxml2 remembers of a document: names, prefixes, namespaces, white space. A stranger cannot fill the memory."""

from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.errors import MalformedError
from soap_handler.fast.usual_reader import UsualReader
from soap_handler.xml.parser import forget_names, read_document, safe_parser
from tests.support.wire import envelope, header, message, operation

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS: Final = 2_000
PIECES: Final = 150  # of each request
GROWTH_BYTES: Final = 5 * 1024 * 1024

BLANK: Final = random.Random(1)  # noqa: S311 - no secret


def _blank(_: str) -> str:
    return f"<a>{''.join(BLANK.choices(' \t\n', k=50))}</a>"


KINDS: Final[dict[str, Callable[[str], str]]] = {
    "element names": lambda new: f"<n{new}/>",
    "attribute names": lambda new: f"<a n{new}='1'/>",
    "prefixes": lambda new: f"<a xmlns:n{new}='urn:a'/>",
    "undeclared prefixes": lambda new: f"<n{new}:a/>",
    "namespaces": lambda new: f"<a xmlns='urn:{new}'/>",
    "instructions": lambda new: f"<?n{new} x?>",
    "entities": lambda new: f"&n{new};",
    "white space": _blank,
}


def _resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def _bodies(kind: str, count: int, inside: Callable[[str], bytes]) -> list[bytes]:
    piece = KINDS[kind]
    return [
        inside("".join(piece(f"{number}_{each}_{kind[:2]}{count}") for each in range(PIECES)))
        for number in range(count)
    ]


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
@pytest.mark.parametrize("kind", KINDS)
def test_new_names_in_each_request_cost_no_memory(kind: str) -> None:
    """The plain way: a document is gone with all its names."""
    bodies = _bodies(kind, REQUESTS, lambda pieces: envelope(operation(inner=pieces)))
    assert _growth(bodies, _read_generally) < GROWTH_BYTES


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("kind", ["element names", "white space"])
@pytest.mark.parametrize("known", [True, False])
def test_new_names_cost_the_quick_way_no_memory_either(kind: str, *, known: bool) -> None:
    """Whether the envelope around them is in its cache or not, and while the plain way reads in the same thread."""
    reader = UsualReader()
    assert reader.read([message()]) != [None]
    head = header() if known else header(password="guess")
    bodies = _bodies(kind, REQUESTS, lambda pieces: envelope(operation(inner=pieces), head))

    def read(body: bytes) -> None:
        assert reader.read([body]) == [None]
        _read_generally(body)

    assert _growth(bodies, read) < GROWTH_BYTES


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
