"""Repair of a text by itself: escape and restore, and no change to a text that needs no repair."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soap_handler.errors import DoctypeError
from soap_handler.xml.charsets import charset_of, contradicts, decode
from soap_handler.xml.repair import declare_prefixes, repair, restore

ANY = st.text(st.sampled_from("\0\x01\x1b\ufffe\uffff\U0010fffd\u2400\u2401EFa&<]>;#x1") | st.characters(), max_size=40)


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_any_text_survives_the_parser_once_it_is_repaired(text: str) -> None:
    """What stands in a section is literal: it comes back as it was, but for line ends and halves of characters."""
    body = text.replace("]]>", "")
    root = etree.fromstring(f"{repair(f'<a><![CDATA[{body}]]></a>').text}".encode())
    whole = body.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert restore(root.text or "") == whole.replace("\r\n", "\n").replace("\r", "\n")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abc &;#x1D8lt<>/![]-?=\"'\x01\ud83d\ude00"), max_size=60))
def test_repairing_twice_changes_nothing_more(text: str) -> None:
    """A repaired text needs no repair: the second time, there are no marks."""
    once = repair(text)
    again = repair(once.text.replace("\U0010fffd", ""))
    assert again.repaired == ()


@pytest.mark.parametrize(
    "text", ["<a/>", "<a>&amp;&#65;&lt;</a>", "<a><![CDATA[&<]]></a>", "<a b='&quot;'/>", "<a>\u00e9\n</a>"]
)
def test_what_is_well_formed_is_left_alone(text: str) -> None:
    """Nothing is noted, and the document says the same."""
    repaired = repair(text)
    assert repaired.repaired == ()
    assert etree.tostring(etree.fromstring(repaired.text.encode())) == etree.tostring(etree.fromstring(text.encode()))


@pytest.mark.parametrize(
    "text", ["<!DOCTYPE a><a/>", "<!doctype a><a/>", "<a/><!DOCTYPE a>", "<!-- --><!DOCTYPE a [<!ENTITY b 'c'>]><a/>"]
)
def test_a_document_type_declaration_is_never_repaired(text: str) -> None:
    """It is refused before any parser looks at it."""
    with pytest.raises(DoctypeError):
        repair(text)


def test_a_document_type_declaration_in_a_text_is_text() -> None:
    """In a section it declares nothing."""
    assert repair("<a><![CDATA[<!DOCTYPE a>]]>\x01</a>").repaired == ("control character",)


def test_only_what_is_undeclared_is_declared() -> None:
    """Prefixes that are declared somewhere, and ``xml``, are left alone."""
    text = "<a xmlns:b='u'><b:c xml:lang='x' d:e='1'/><f:g/></a>"
    assert declare_prefixes(text).startswith('<a xmlns:d="urn:undeclared:d" xmlns:f="urn:undeclared:f" xmlns:b=')


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/xml; charset=utf-8", "utf-8"),
        ('text/xml;charset="ISO-8859-1"', "ISO-8859-1"),
        ("text/xml; CHARSET = 'x'", "x"),
        ("text/xml; action=a; charset=x", "x"),
        ("text/xml", None),
        ("", None),
        ("text/xml; charset=", None),
        ("charset=utf-8", None),
    ],
)  # fmt: skip
def test_the_charset_of_a_content_type(content_type: str, charset: str | None) -> None:
    """It is a parameter, in any case, with quotes or without."""
    assert charset_of(content_type) == charset


@pytest.mark.parametrize(
    ("body", "label", "effective", "contradict"),
    [
        (b"<a>\xc3\xa9</a>", "utf-8", "UTF-8", False),
        (b"<a>\xc3\xa9</a>", "UTF8", None, False),
        (b"<a>\xc3\xa9</a>", "iso-8859-1", "utf-8", True),
        (b"<a>e</a>", "iso-8859-1", "utf-8", False),
        (b"\xef\xbb\xbf<a>\xc3\xa9</a>", "iso-8859-1", "UTF-8", False),
        ("<a>\u00e9</a>".encode("utf-16"), "utf-8", "UTF-16LE", False),
        (b"<a>\xc3\xa9</a>", None, "iso-8859-1", False),
    ],
)  # fmt: skip
def test_labels_contradict_each_other_only_where_it_matters(
    body: bytes, label: str | None, effective: str | None, *, contradict: bool
) -> None:
    """Not in ASCII, and not where a byte-order mark has the last word."""
    assert contradicts(body, label, effective) is contradict


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.none() | st.text(max_size=20) | st.sampled_from(["utf-8", "utf-16", "latin1", "gbk"]))
def test_any_bytes_under_any_label_have_a_text(body: bytes, label: str | None) -> None:
    """Decoding refuses nothing, and valid UTF-8 of any script is read as what it is."""
    assert isinstance(decode(body, label).text, str)


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_utf_8_is_read_as_utf_8(text: str) -> None:
    """Without a label, and with an unknown one."""
    assert decode(text.encode("utf-8", "surrogatepass").decode("utf-8", "ignore").encode()).repaired == ()
