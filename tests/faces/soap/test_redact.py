"""The envelope that is kept: as it came, but for the password; or not at all."""

from __future__ import annotations

import pytest

from soap_handler.faces.soap.redact import redacted
from soap_handler.notifications import Kind
from tests.corpus.messages import PASSWORD, message

GOOD = message(Kind.MESSAGE_EVENT, "redact").bytes_()
SECRET = PASSWORD.encode()


def with_password(element: bytes) -> bytes:
    return GOOD.replace(b"<Password>" + SECRET + b"</Password>", element)


def test_only_the_password_is_redacted() -> None:
    """Every other byte stays, broken ones too."""
    body = GOOD.replace(b"Delivered", b"\xff\x01\xc3&#1;")
    assert redacted(body, PASSWORD) == body.replace(SECRET, b"***")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_wide_encodings_are_redacted_in_place(codec: str) -> None:
    """The marks and the rest of the bytes stay as they came."""
    body = GOOD.decode().encode(codec)
    kept = redacted(body, PASSWORD)
    assert kept is not None
    assert kept.decode(codec) == GOOD.decode().replace(PASSWORD, "***")


@pytest.mark.parametrize(
    "element",
    [
        b"<m:Password xmlns:m='u'>%s</m:Password>",
        b"<Password\nxsi:type='xsd:string' >%s</Password >",
        b"<PASSWORD>%s</PASSWORD>",
        b"<Password>  %s\n</Password>",
        b"<Password>%s</Password><password>%s</password>",
        b"<Password>%s</Password><Password/>",
    ],
)
def test_however_its_element_is_written(element: bytes) -> None:
    """Prefixes, attributes, letter case, white space, and more than one of them."""
    kept = redacted(with_password(element.replace(b"%s", SECRET)), PASSWORD)
    assert kept is not None
    assert SECRET not in kept
    assert b"***" in kept
    assert b"<eventtype>Delivered</eventtype>" in kept


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"&#{ord(character)};" for character in PASSWORD),
        "".join(f"&#x{ord(character):X};" for character in PASSWORD),
        "".join(f"&#{ord(character):09};" for character in PASSWORD),
    ],
    ids=["decimal", "hexadecimal", "padded"],
)
def test_references_in_it_are_redacted_and_elsewhere_noticed(text: str) -> None:
    """In its element it is redacted in any form; in another place, there is no envelope to keep."""
    assert redacted(with_password(f"<Password>{text}</Password>".encode()), PASSWORD) == GOOD.replace(SECRET, b"***")
    assert redacted(GOOD.replace(b"Delivered", text.encode()), PASSWORD) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(with_password(b"<Password><![CDATA[%s]]></Password>" % SECRET), id="in a section"),
        pytest.param(with_password(b"<Password>s<!-- </Password> -->%s</Password>" % SECRET[1:]), id="comment"),
        pytest.param(with_password(b"<Password><Password>s</Password>%s</Password>" % SECRET[1:]), id="nested"),
        pytest.param(with_password(b"<Password href='#p'/><r id='p'>%s</r>" % SECRET), id="by reference"),
        pytest.param(with_password(b"<Secret>%s</Secret>" % SECRET), id="in another element"),
        pytest.param(GOOD.replace(b"Delivered", SECRET), id="in another element too"),
        pytest.param(GOOD.replace(b"Delivered", SECRET[:4] + b"<b/>" + SECRET[4:]), id="with markup inside"),
        pytest.param(GOOD.replace(b"Delivered", b"czNjcmV0LVBhNTV3b3Jk"), id="in base64"),
        pytest.param(GOOD.replace(b"Delivered", b"<Password>"), id="opened and not closed"),
        pytest.param(GOOD.replace(b"Delivered", b"<![CDATA[&#%s;]]>" % (b"9" * 5000)), id="endless number"),
        pytest.param(GOOD.decode().encode("cp037"), id="in EBCDIC"),
    ],
)  # fmt: skip
def test_where_it_is_not_safe_there_is_no_envelope(body: bytes) -> None:
    """A request that is not surely redacted is not kept."""
    kept = redacted(body, PASSWORD)
    assert kept is None


def test_a_password_that_is_an_ordinary_word_costs_the_envelope() -> None:
    """It cannot be told from the word, so nothing is kept."""
    assert redacted(with_password(b"<Password>Delivered</Password>"), "Delivered") is None


def test_without_a_password_there_is_nothing_to_redact() -> None:
    """An anonymous account's callers may send none."""
    body = with_password(b"")
    assert redacted(body, "") == body
