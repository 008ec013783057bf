"""The envelope that is kept: as it came, but for the password; or not at all."""

from __future__ import annotations

import pytest

from soap_handler.faces.soap.redact import NO_HEADER, redacted
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


def test_bytes_of_another_encoding_are_masked_too() -> None:
    """A sender that mixes two encodings has the password among wide characters, where a text would not show it."""
    body = GOOD.decode().encode("utf-16")
    place = body.index("Delivered".encode("utf-16-le"))
    mixed = body[:place] + SECRET * 2 + body[place:]
    kept = redacted(mixed, PASSWORD)
    assert kept is not None
    assert SECRET not in kept
    assert PASSWORD.encode("utf-16-le") not in kept
    assert kept[-100:] == mixed[-100:]


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
def test_references_in_it_are_redacted_and_elsewhere_too(text: str) -> None:
    """As its element's content, and as the content of another one."""
    assert redacted(with_password(f"<Password>{text}</Password>".encode()), PASSWORD) == GOOD.replace(SECRET, b"***")
    twice = GOOD.replace(b"Delivered", text.encode())
    assert redacted(twice, PASSWORD) == GOOD.replace(SECRET, b"***").replace(b"Delivered", b"***")


MAP = b"<item><key xsi:type='xsd:string'>Password</key>\n<value xsi:type='xsd:string'>%s</value></item>"


@pytest.mark.parametrize(
    ("element", "kept"),
    [
        pytest.param(MAP % SECRET, MAP % b"***", id="PHP's map"),
        pytest.param(MAP % b"a<b/>" + MAP % SECRET, MAP % b"***" + MAP % b"***", id="two in PHP's map, markup"),
        pytest.param(MAP % b"other" + MAP % SECRET, MAP % b"***" + MAP % b"***", id="two in PHP's map"),
        pytest.param(
            b"<Password href='#p'/><r id='p'>%s</r>" % SECRET,
            b"<Password href='#p'/><r id='p'>***</r>",
            id="by reference",
        ),
        pytest.param(b"<param1>%s</param1>" % SECRET, b"<param1>***</param1>", id="by position"),
        pytest.param(b"<Secret>%s</Secret>" % SECRET, b"<Secret>***</Secret>", id="in another element"),
        pytest.param(b"<a Password='other' b='%s'/>" % SECRET, b"<a Password='***' b='***'/>", id="as attributes"),
        pytest.param(
            b"<Password><![CDATA[%s]]></Password>" % SECRET, b"<Password>***</Password>", id="in a section"
        ),
        pytest.param(b"<Password>czNjcmV0LVBhNTV3b3Jk</Password>", b"<Password>***</Password>", id="in base64"),
    ],
)  # fmt: skip
def test_in_each_shape_that_is_read_it_is_masked_in_its_place(element: bytes, kept: bytes) -> None:
    """All else stays."""
    assert redacted(with_password(element), PASSWORD) == with_password(kept)


def without_header(body: bytes) -> bytes:
    before, _, rest = body.partition(b"<soap:Header>")
    return before + NO_HEADER.encode() + rest.partition(b"</soap:Header>")[2]


@pytest.mark.parametrize("password", ["ems", "soap", "Delivered", "e", "com.esendex.ems.soapinterface", "b\u00fc&<"])
def test_a_password_that_occurs_elsewhere_costs_no_envelope(password: str) -> None:
    """As the user name, in a text, in the contract's own words: texts that say it are masked, names stay."""
    written = password.replace("&", "&amp;").replace("<", "&lt;").encode()
    body = GOOD.replace(b"Delivered</", b"It, %s!</" % written).replace(SECRET, written)
    body = body.replace(b"<Username>ems<", b"<Username>%s<" % written)
    kept = redacted(body, password)
    assert kept is not None
    assert b'<MessageEvent xmlns="com.esendex.ems.soapinterface">' in kept
    assert b"<Username>***</Username><Password>***</Password>" in kept
    assert b", ***!</eventtype>" in kept
    assert kept.count(b"<") == body.count(b"<")


@pytest.mark.parametrize(
    "element",
    [
        pytest.param(b"<Password>s<!-- </Password> -->%s</Password>" % SECRET[1:], id="comment"),
        pytest.param(b"<Password><Password>s</Password>%s</Password>" % SECRET[1:], id="nested"),
        pytest.param(b"<Password>s<![CDATA[</Password>%s<Password>]]></Password>" % SECRET[1:], id="in a section"),
        pytest.param(b"<Key>%s<b/>%s</Key>" % (SECRET[:4], SECRET[4:]), id="with markup inside"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_where_that_is_not_safe_the_rest_is_kept_without_the_header(element: bytes, codec: str) -> None:
    """A comment says so, and the Body is as it came."""
    kept = redacted(with_password(element).decode().encode(codec), PASSWORD)
    assert kept is not None
    assert kept.decode(codec) == without_header(GOOD).decode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(GOOD.replace(b"Delivered", SECRET[:4] + b"<b/>" + SECRET[4:]), id="in the Body, divided"),
        pytest.param(GOOD.replace(b"Delivered", b"<Password>"), id="opened and not closed"),
        pytest.param(GOOD.replace(b"<soap:Body>", b"").replace(b"</soap:Body>", b"<Password>"), id="no Body"),
        pytest.param(GOOD.decode().encode("cp037"), id="in EBCDIC"),
    ],
)  # fmt: skip
def test_where_nothing_is_safe_nothing_is_kept(body: bytes) -> None:
    """A request in whose Body the password may be left is not kept."""
    assert redacted(body, PASSWORD) is None


def test_an_endless_number_hides_nothing() -> None:
    """Python refuses to read it, and it is the number of no character."""
    body = GOOD.replace(b"Delivered", b"<![CDATA[&#%s;]]>" % (b"9" * 5000))
    assert redacted(body, PASSWORD) == body.replace(SECRET, b"***")


def test_without_a_password_there_is_nothing_to_redact() -> None:
    """An anonymous account's callers may send none."""
    body = with_password(b"")
    assert redacted(body, "") == body
