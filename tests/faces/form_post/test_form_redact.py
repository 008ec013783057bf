"""The form that is kept: as it came, but for the password; or not at all."""

from __future__ import annotations

import pytest

from soap_handler.faces.form_post.redact import redacted
from tests.support.forms import form

SECRET = "p\u00e4ss word&"


@pytest.mark.parametrize("name", ["password", "Password", "EsendexPassword", "pass%77ord", "PASS%57ORD", "+password+"])
def test_only_the_password_is_redacted(name: str) -> None:
    """Every other byte stays, odd ones too."""
    body = b"a=%FF\xff&" + name.encode() + b"=p%C3%A4ss+word%26&body=%zz\r\n"
    assert redacted(body, SECRET) == b"a=%FF\xff&" + name.encode() + b"=***&body=%zz\r\n"


def test_a_second_password_is_redacted_too() -> None:
    """Whichever of them counted."""
    assert redacted(b"password=one&id=1&Password=two", "one") == b"password=***&id=1&Password=***"


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        (b"body=it+is+p%C3%A4ss+word%26+I+say%21", b"body=it+is+***+I+say%21"),
        (b"body=it+is+p%e4ss+word%26", b"body=it+is+***"),
        (b"username=p%C3%A4ss+word%26", b"username=***"),
        (b"p%C3%A4ss+word%26", b"***"),
    ],
)
def test_a_password_that_stands_elsewhere_too_is_masked_there(field: bytes, kept: bytes) -> None:
    """In the text of another field, or as a name: the rest of the form is kept."""
    assert redacted(b"a=%7e&password=p%C3%A4ss+word%26&" + field, SECRET) == b"a=%7e&password=***&" + kept


def test_a_form_without_a_password_is_kept() -> None:
    """The account may be anonymous, or HTTP Basic may have it."""
    assert redacted(b"id=1&body=x", "") == b"id=1&body=x"
    assert b"s3cret" not in (redacted(form(), "s3cret") or b"s3cret")
