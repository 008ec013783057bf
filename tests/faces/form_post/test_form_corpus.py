"""Odd requests at the form face: each is answered in its own form, whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.accounts.accounts import Accounts
from soap_handler.faces.base import Request
from soap_handler.faces.form_post.face import FormPost
from soap_handler.faces.plain_text import CONFIRMED, CONTENT_TYPE
from soap_handler.fast.assembly import FastSeams
from soap_handler.receive.receiver import Receiver
from tests.corpus.cases import CASES
from tests.corpus.messages import PASSWORD as CORPUS_PASSWORD
from tests.support.forms import FORM_TYPE, FORMS, form
from tests.support.naming import naming
from tests.support.quickly import assert_alike, prepare_quickly
from tests.support.service import ACCOUNTS

if TYPE_CHECKING:
    from soap_handler.faces.base import Exchange

RECEIVER: Final = Receiver(Accounts(ACCOUNTS))
FACE: Final = FormPost(RECEIVER, FastSeams().read_many(FormPost, RECEIVER))
TYPES: Final = (
    FORM_TYPE,
    f"{FORM_TYPE}; charset=utf-8",
    f"{FORM_TYPE}; charset=iso-8859-1",
    "text/xml",
    "",
    "x/\xff;=",
)

NAMES: Final = ("id", "originator", "recipient", "body", "type", "sentAt", "receivedAt")
BROKEN: Final[dict[str, bytes]] = {
    "nothing": b"",
    "white space": b" \r\n\t",
    "separators": b"&&;&=&",
    "NUL bytes": b"\0" * 50,
    "all bytes": bytes(range(256)),
    "percent signs": b"%" * 500,
    "a thousand fields": b"a=1&" * 1000,
    "a long name": b"a" * 50_000 + b"=1&" + form(),
    "JSON": b'{"notificationType": "MessageReceived"}',
    "multipart": b'--x\r\nContent-Disposition: form-data; name="id"\r\n\r\n1\r\n--x--',
    "semicolons": form().replace(b"&", b";"),
    "XML entities": form().replace(b"&", b"&amp;"),
    "twice encoded": quote_plus(form()).encode(),
    "in UTF-16": form().decode().encode("utf-16"),
    "in UTF-16 without a mark": form().decode().encode("utf-16-le"),
    "half a form": form()[: len(form()) // 2],
    "the form twice": form() + b"&" + form(),
    "half an emoji": form(body="X").replace(b"body=X", b"body=%ED%A0%BD"),
    "a bad percent in every place": form().replace(b"=", b"=%"),
    "an id that is empty": form(id=""),
    "an id that is long": form(id="7" * 5000),
    "a password with bad bytes": form().replace(b"s3cret", b"%ff%fe\xe9"),
    **{f"without {name}": form().replace(b"&" + name.encode() + b"=", b"&x=") for name in NAMES},
    **{f"{name} of bad bytes": form(**{name: "X"}).replace(b"=X", b"=%ff%00\x80") for name in NAMES},
}


def prepared(body: bytes, content_type: str = FORM_TYPE) -> Exchange:
    """Prepare a request in the general way, and check what holds for any request."""
    exchange = FACE.prepare(Request(body, "127.0.0.1", content_type))
    answer = exchange.answer
    assert answer.content_type == CONTENT_TYPE
    assert answer.status[:3] in {"200", "400", "403"}
    assert (answer == CONFIRMED) == (exchange.entry is not None) == answer.status.startswith("200")
    text = answer.body.decode("ascii")
    assert 2 <= len(text) < 120
    assert "s3cret" not in text
    assert CORPUS_PASSWORD not in text
    if exchange.entry is not None:
        assert b"s3cret" not in (exchange.entry.envelope or b"")
        assert bool(exchange.entry.envelope) <= bool(exchange.entry.notification.repaired)
    assert_quick_way_agrees(body, content_type, exchange)
    return exchange


def assert_quick_way_agrees(body: bytes, content_type: str, general: Exchange) -> None:
    """Check that the quick way leaves a request alone, or makes the same of it."""
    assert_alike(prepare_quickly(FACE, body, content_type), general)


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("case", BROKEN)
def test_every_odd_form_is_answered(case: str, content_type: str) -> None:
    """In plain text, with 200, 400 or 403; what is confirmed is stored, and its password is not kept."""
    prepared(BROKEN[case], content_type)


def test_every_soap_request_is_refused_in_plain_text() -> None:
    """The whole corpus of the SOAP face: the form face stores none of it, and says what it expected."""
    for case in CASES:
        with naming(case.id):
            exchange = prepared(case.body, case.content_type)
            assert exchange.entry is None
            assert exchange.answer.status == "400 Bad Request"


@pytest.mark.parametrize("name", FORMS)
def test_a_usual_form_takes_the_quick_way(name: str) -> None:
    """What EMS sends is read in the loop."""
    quick = prepare_quickly(FACE, form(name), FORM_TYPE)
    assert quick is not None
    assert quick.answer == CONFIRMED


@given(st.lists(st.tuples(st.sampled_from([*NAMES, "Password", "x"]) | st.text(max_size=8), st.binary(max_size=20))))
def test_any_fields_are_answered(fields: list[tuple[str, bytes]]) -> None:
    """Whatever follows the login: the face breaks over nothing."""
    start = b"username=ems&password=s3cret&account=EX0012345&notificationType=MessageReceived"
    prepared(b"&".join([start, *(quote_plus(name).encode() + b"=" + text for name, text in fields)]))


@given(st.binary(max_size=200), st.integers(0, len(form())), st.integers(0, 30))
def test_a_damaged_form_is_answered(piece: bytes, place: int, length: int) -> None:
    """Cut and filled with anything."""
    prepared(form()[:place] + piece + form()[place + length :])
