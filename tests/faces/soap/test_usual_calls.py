"""Calls in the usual form: they are read at once, and as the reader of every form reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from spyne.model.fault import Fault

from soap_handler.contract import SOAP_11, SOAP_12
from soap_handler.faces.soap.envelope import read_envelope
from soap_handler.faces.soap.service import Call
from soap_handler.faces.soap.values import read_calls
from tests.corpus import SAMPLES
from tests.corpus.cases import CASES
from tests.support.naming import naming
from tests.support.soap_forms import requests
from tests.support.wire import DEFAULTS, elements, envelope, header, message, operation

if TYPE_CHECKING:
    from soap_handler.faces.soap.envelope import Envelope


def is_usual(body: bytes, content_type: str = "text/xml") -> bool:
    """Check that a call in the usual form is read alike by both readers; return whether it has that form."""
    try:
        found: Envelope = read_envelope(body, Call(content_type=content_type))
    except Fault:
        return False
    if found.call is None:
        return False
    assert read_calls(found) == [found.call]
    return True


@pytest.mark.parametrize("kind", sorted(DEFAULTS))
def test_what_ems_sends_is_usual(kind: str) -> None:
    """Every operation, in both versions of SOAP, with its login in the header or before its parameters."""
    assert is_usual((SAMPLES / f"{kind}.xml").read_bytes())
    assert is_usual(message(kind))
    assert is_usual(message(kind).replace(SOAP_11.encode(), SOAP_12.encode()))
    inside = operation(kind, elements({"username": "a", "password": "b", "account": "c"} | DEFAULTS[kind]))
    assert is_usual(envelope(inside, ""))


@given(requests())
def test_the_usual_form_is_read_as_any_other(body: bytes) -> None:
    """Where a call is read at once, the reader of every form gives the same: values, marks and doubts."""
    is_usual(body)


def test_the_corpus_is_read_as_before() -> None:
    """Odd requests of every kind: the two readers never differ."""
    for case in CASES:
        with naming(case.id):
            is_usual(case.body, case.content_type)


@pytest.mark.parametrize(
    "odd",
    [
        message().replace(b"<body>", b"<body x='1'>"),
        message().replace(b"<body>", b"<Body>").replace(b"</body>", b"</Body>"),
        message().replace(b"<originator>", b"text<originator>"),
        message().replace(b"<originator>", b"<unknown/><originator>"),
        message().replace(b"<originator>", b"<type>Text</type><originator>"),
        message().replace(b"<MessageReceived ", b"<MessageReceived x='1' "),
        envelope(operation(), header() * 2),
        envelope(operation(), header(attributes='href="#a"')),
        envelope(operation(), header("", "")),
        envelope(operation() * 2, header()),
        envelope(operation(inner=elements({"username": "a", "password": "b", "account": "c"})), ""),
        envelope("<MessageReceived xmlns='urn:other'><id>1</id></MessageReceived>", header()),
    ],
)
def test_any_other_form_is_not(odd: bytes) -> None:
    """It is left to the reader of every form, with its marks."""
    assert is_usual(message())
    assert not is_usual(odd)
