"""The two ways to read a request: the quick one for the usual, the general one for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.passwords import hash_password
from soap_handler.contract import NAMESPACE
from soap_handler.faces.base import Exchange, Request
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.fast.usual_pushes import UsualPushes
from soap_handler.receive.receiver import Receiver
from soap_handler.settings import AccountSettings, PushCredentials
from tests.corpus import SAMPLES
from tests.support.quickly import assert_alike as assert_same
from tests.support.quickly import prepare_quickly
from tests.support.soap_forms import requests
from tests.support.wire import DEFAULTS, PASSWORD, REFERENCE, USERNAME, header, message

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

ACCOUNT: Final = AccountSettings(
    reference=REFERENCE, push=(PushCredentials.model_validate({"username": USERNAME, "password": PASSWORD}),)
)
RECEIVER: Final = Receiver(Accounts([ACCOUNT]))
ENDPOINT: Final = Endpoint(RECEIVER, read_many=UsualPushes(RECEIVER))


def quickly(body: bytes, content_type: str = "text/xml; charset=utf-8") -> Exchange | None:
    return prepare_quickly(ENDPOINT, body, content_type)


def generally(body: bytes, content_type: str = "text/xml; charset=utf-8") -> Exchange:
    return ENDPOINT.prepare(Request(body, "127.0.0.1", content_type))


def assert_alike(body: bytes) -> bool:
    """Check that the quick way, where it has a say, says what the general way says; return whether it had."""
    quick = quickly(body)
    assert_same(quick, generally(body))
    return quick is not None


@pytest.mark.parametrize("kind", sorted(DEFAULTS))
def test_what_ems_sends_is_read_quickly(kind: str) -> None:
    """The contract's samples and messages like them take the quick way, and give the same as the general one."""
    assert assert_alike((SAMPLES / f"{kind}.xml").read_bytes())
    assert assert_alike(message(kind))


@pytest.mark.parametrize(
    "start",
    [
        "",
        "<?xml version='1.0' encoding='utf-8'?>\n",
        '<?xml version="1.0" encoding="UTF-8" ?>',
        '<?xml version="1.0"?>\r\n',
    ],
)
def test_every_stack_has_its_own_way_to_begin(start: str) -> None:
    """zeep, .NET, Java and PHP declare UTF-8 in different spellings, or not at all; all are usual."""
    document = message().partition(b"?>")[2].lstrip()
    assert assert_alike(start.encode() + document)


@given(requests())
def test_both_ways_read_the_same(body: bytes) -> None:
    """Whatever the quick way takes on, the general way reads alike: equal values, or the same refusal."""
    assert_alike(body)


@given(st.lists(requests() | st.just(message()), max_size=6))
def test_requests_that_are_read_together_are_read_as_if_alone(bodies: list[bytes]) -> None:
    """Whatever else is in a batch, each gets what it gets by itself, in its place."""
    assert ENDPOINT.read_many is not None
    together = ENDPOINT.read_many([Request(body, "127.0.0.1", "text/xml") for body in bodies])
    assert list(map(said, together)) == [said(quickly(body)) for body in bodies]


def said(exchange: Exchange | None) -> Notification | None:
    return exchange.entry.notification if exchange and exchange.entry else None


@given(
    st.binary(max_size=200)
    | st.builds(lambda a, b: message()[:a] + b + message()[a:], st.integers(0, 700), st.binary(max_size=4))
)
def test_damage_is_read_the_same(body: bytes) -> None:
    """Broken bytes are never read otherwise by the quick way."""
    assert_alike(body)


def framed(before: str, operation: str, after: str = "</soap:Body></soap:Envelope>") -> bytes:
    start = '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
    return f"{start}{before}{operation}{after}".encode()


HEADER: Final = f"<soap:Header>{header()}</soap:Header>"
INSIDE: Final = "".join(f"<{name}>{text}</{name}>" for name, text in DEFAULTS["MessageReceived"].items())
GOOD: Final = f"<MessageReceived xmlns='{NAMESPACE}'>{INSIDE}</MessageReceived>"
OTHER: Final = GOOD.replace("<body>", "<body>8 ")


@pytest.mark.parametrize(
    ("before", "inside", "after"),
    [
        (f"{HEADER}<soap:Body>", GOOD, "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body>text", GOOD, " </soap:Body> </soap:Envelope >\n"),
        (f"{HEADER}<soap:Body><!-- Body>", f"<a/>-->{GOOD}", "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body><MessageReceived><!-- Body>", "<a>--></MessageReceived>", "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body><!-- Body>", GOOD, "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body><![CDATA[Body>", f"]]>{GOOD}", "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body><?p Body>", f"?>{GOOD}", "</soap:Body></soap:Envelope>"),
        ("<soap:Header>Body>", f"{header()}</soap:Header><soap:Body>{GOOD}", "</soap:Body></soap:Envelope>"),
        (f"Body>{HEADER}<soap:Body>", GOOD, "</soap:Body></soap:Envelope>"),
        (f"{HEADER}<soap:Body>", f"{GOOD}</soap:Body></soap:Envelope><!--", "</a></a> -->"),
    ],
)
@pytest.mark.parametrize(
    "operation",
    [
        OTHER,
        f" {OTHER} ",
        f"{OTHER}{OTHER}",
        f"{OTHER}<!-- c -->",
        f"<!-- c -->{OTHER}",
        f"<?xml version='1.0'?>{OTHER}",
        f"<?xml version='1.0' encoding='utf-16'?>{OTHER}",
        f"<!DOCTYPE a>{OTHER}",
        f"{OTHER}text",
        f"<MessageReceived>{INSIDE}</MessageReceived>",
        f"<soap:MessageReceived xmlns='{NAMESPACE}'>{INSIDE}</soap:MessageReceived>",
        OTHER.replace("8", "<soap:b/>"),
        OTHER.replace("8", "-->"),
        OTHER.replace("8", "&#8;"),
        OTHER.replace("<id>", "<id a='1'>"),
        f"<e:MessageReceived xmlns:e='{NAMESPACE}'>{INSIDE}</e:MessageReceived>",
        f"{header()}{OTHER}",
        f"{OTHER}</soap:Body><soap:Body>",
        "",
    ],
)
def test_a_frame_that_was_read_before_says_nothing_else_with_another_operation(
    before: str, inside: str, after: str, operation: str
) -> None:
    """The envelope around an operation is cached; a forged envelope gives the same with and without the cache."""
    quickly(framed(before, inside, after))
    assert_alike(framed(before, operation, after))


def test_a_frame_is_remembered_with_its_password() -> None:
    """After a right one, the same request with another password, or with none, is not taken for it."""
    assert quickly(framed(f"{HEADER}<soap:Body>", GOOD))
    assert quickly(framed(f"{HEADER}<soap:Body>", OTHER))
    wrong = quickly(framed(f"{HEADER}<soap:Body>".replace(PASSWORD, "wrong"), OTHER))
    assert wrong is None or wrong.entry is None
    assert not quickly(framed("<soap:Header/><soap:Body>", OTHER))


@pytest.mark.parametrize(
    "body",
    [
        message(body="x").replace(b"<body>x", b"<body>&#x1B;"),
        message(sentat="yesterday"),
        b"",
        b"<",
    ],
)
def test_the_unusual_goes_the_general_way(body: bytes) -> None:
    """A request that must be repaired, or that cannot be read, is left to the general way, whole."""
    assert quickly(body) is None


def test_a_wrong_password_is_refused_at_once_unless_only_its_hash_is_known() -> None:
    """A guesser costs no more than a push. An scrypt is nothing for the loop: a thread makes it."""
    wrong = message().replace(b"s3cret", b"wrong")
    quick = quickly(wrong)
    assert quick is not None
    assert (quick.entry, quick.answer) == (None, generally(wrong).answer)
    pair = {"username": USERNAME, "password": hash_password(PASSWORD)}
    hashed = AccountSettings(reference=REFERENCE, push=(PushCredentials.model_validate(pair),))
    receiver = Receiver(Accounts([hashed]))
    assert prepare_quickly(Endpoint(receiver, read_many=UsualPushes(receiver)), wrong, "text/xml") is None


@pytest.mark.parametrize("content_type", ["text/xml; charset=iso-8859-1", "text/xml; charset=utf-16"])
def test_another_charset_goes_the_general_way(content_type: str) -> None:
    """A label that says anything but UTF-8 is looked into."""
    assert quickly(message(), content_type) is None
