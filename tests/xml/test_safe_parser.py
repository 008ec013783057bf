"""There is one place that makes an lxml parser, and its parsers are safe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from lxml import etree

import soap_handler
from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.xml.parser import Limits, check_limits, parse, read_document, safe_parser, safe_pull_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = Path(soap_handler.__file__).parent
MAKES_A_PARSER: Final = re.compile(r"\b(XMLParser|XMLPullParser|HTMLParser|iterparse|XMLSchemaParser)\(|\betree\.XML\(")
USES_THE_DEFAULT: Final = re.compile(r"\betree\.fromstring\((?!.*parser)")
ENTITY: Final = b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'


def places(pattern: re.Pattern[str]) -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if pattern.search(path.read_text(encoding="utf-8")):
            yield path.relative_to(PACKAGE).as_posix()


def test_only_one_module_makes_parsers() -> None:
    """Another parser might expand entities, or fetch what a document names."""
    assert list(places(MAKES_A_PARSER)) == ["xml/parser.py"]


def test_no_document_is_parsed_with_the_default_parser() -> None:
    """The default parser of lxml expands the entities of a document type."""
    assert list(places(USES_THE_DEFAULT)) == []


@pytest.mark.parametrize("line", ["etree.XMLParser(recover=True)", "etree.iterparse(source)", "etree.XML(text)"])
def test_a_parser_that_is_made_elsewhere_is_found(line: str) -> None:
    """A test that cannot fail is a bug."""
    assert MAKES_A_PARSER.search(line)
    assert USES_THE_DEFAULT.search("etree.fromstring(body)")
    assert not USES_THE_DEFAULT.search("etree.fromstring(body, safe_parser())")


def test_no_entity_is_expanded() -> None:
    """Not even one that a document declares for itself; comments and instructions are dropped."""
    assert parse(ENTITY).text is None
    assert etree.fromstring(ENTITY, safe_parser()).text is None
    assert parse(b"<a>1<!-- 2 --><?p 3?>4</a>").text == "14"


def test_a_document_in_pieces_tells_of_each_element() -> None:
    """As soon as its start is there."""
    parser = safe_pull_parser()
    parser.feed(b"<a><b xmlns='u'>")
    assert [element.tag for _, element in parser.read_events()] == ["a", "{u}b"]  # type: ignore[union-attr] # a start has one


@pytest.mark.parametrize("body", [ENTITY, ENTITY + b"\0", b"<!doctype a><a/>"])
def test_a_document_type_declaration_is_an_error(body: bytes) -> None:
    """Whether the strict parser takes it or not."""
    with pytest.raises(DoctypeError):
        read_document(body)


@pytest.mark.parametrize("body", [b"", b"hello", b"<a>", b"<a></b>", b"<a/><b/>"])
def test_what_cannot_be_repaired_is_an_error(body: bytes) -> None:
    """Tags that do not match have more than one possible meaning."""
    with pytest.raises(MalformedError):
        read_document(body)


def test_a_good_document_has_no_marks() -> None:
    """And its texts hold no escape sequences."""
    document = read_document(b"<a>\xc3\xa9</a>")
    assert (document.root.text, document.escaped, document.repaired) == ("\u00e9", False, ())
    assert read_document(b"<a>\x01</a>").escaped


@pytest.mark.parametrize("body", [b"<a><a><a/></a></a>", b"<a b='1' c='2'><a d='3'/></a>"])
def test_a_structure_beyond_a_limit_is_an_error(body: bytes) -> None:
    """Depth, and the attributes of all elements together."""
    check_limits(parse(body), Limits(depth=3, attributes=3))
    with pytest.raises(LimitExceededError, match="The request"):
        check_limits(parse(body), Limits(depth=2, attributes=2))
