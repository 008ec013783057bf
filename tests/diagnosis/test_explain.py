"""Explanation of a captured request: what it says is what the service does, whatever the file looks like."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from soap_handler.diagnosis.explain import Explanation, explain
from soap_handler.faces import unread
from soap_handler.faces.marks import REASONS
from soap_handler.faces.soap import rpc_encoded
from soap_handler.faces.soap import values as soap_values
from soap_handler.journal import Selection
from soap_handler.notifications import stored_values
from soap_handler.settings import PushToken, ServerSettings, Settings
from soap_handler.xml import charsets, parser, repair
from tests.support import wire
from tests.support.service import serving, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


def without_head(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def values(found: Explanation) -> dict[str, object]:
    return {"account": wire.REFERENCE, **found.values}


GOOD = wire.message()
ODD = wire.message(body="a & b\x1b", sentat="noon").replace(b"&amp;", b"&")
REQUESTS = {
    "good": wire.request(GOOD),
    "without a head": GOOD,
    "odd": ODD,
    "wrong password": wire.envelope(head=wire.header(password="wr0ng")),
    "no XML": b"<a><b></a>",
    "nothing": b"",
    "elsewhere": wire.request(GOOD, start="POST /elsewhere HTTP/1.1"),
    "a page": wire.request(start=f"GET {wire.PATH}?wsdl HTTP/1.1"),
    "folded": wire.request(GOOD, "A: b", " c"),
    "chunked": wire.request(wire.chunked(GOOD), "Transfer-Encoding: chunked", sized=False),
    "too large": wire.request(b" " * 300_000),
}


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
def test_the_answer_is_the_services_own(data: bytes, tmp_path: Path) -> None:
    """Status, content type and body are what a running service sends for the same bytes."""
    service_settings = settings_for(tmp_path, server=ServerSettings(port=0, public_url="https://sms.example.com"))
    found = explain(data, service_settings)
    with serving(service_settings) as service:
        whole = data if b" HTTP/1.1\r\n" in data[:100] else wire.request(data)
        answer = wire.ask(service.port, whole)
        assert int(found.answer.status.split()[0]) == answer.status
        assert found.answer.content_type == answer.headers["content-type"]
        assert found.answer.body == answer.body
        assert found.taken == bool(answer.status == 200 and service.submitted)
        for entry in service.submitted:
            assert found.key == entry.notification.key
            told = stored_values(entry.notification)
            assert found.original == told.pop("original", {})
            assert [*found.repaired] == told.pop("repaired", [])
            assert values(found) == told


def test_everything_about_a_good_request_is_said(settings: Settings) -> None:
    """Face, operation, account under the name that came, and the key; nothing repaired."""
    Path(str(make_url(settings.journal.url.get_secret_value()).database)).unlink()
    found = explain(wire.request(wire.envelope(head=wire.header(account=wire.NUMBER))), settings)
    assert found.taken
    assert (found.face, found.operation, found.account) == ("SOAP", "MessageReceived", wire.REFERENCE)
    assert found.credentials == {"username": wire.USERNAME, "password": "***", "account": wire.NUMBER}
    assert found.key == f"{wire.REFERENCE}/MessageReceived/{wire.DEFAULTS['MessageReceived']['id']}"
    assert (found.refused_by, found.repaired, found.notes) == (None, {}, ())
    assert found.journal is not None
    assert "no journal" in found.journal


def test_repairs_are_explained(settings: Settings) -> None:
    """Each mark has its reason; a text that is no value is quoted."""
    found = explain(ODD, settings)
    assert found.repaired["sent_at unreadable"].startswith("'noon' is no value of sent_at")
    assert all(found.repaired.values())
    assert {"unescaped character", "control character"} <= found.repaired.keys()
    assert found.original == {"sent_at": "noon"}


def test_a_further_operation_of_the_body_is_told(settings: Settings) -> None:
    """It is taken too, under a key of its own."""
    found = explain(wire.envelope(wire.operation() + wire.operation("MessageEvent")), settings)
    assert found.operation == "MessageReceived"
    assert any("further operation" in note and "/MessageEvent/" in note for note in found.notes)


def test_each_mark_has_a_reason() -> None:
    """A mark without one would be shown without a word."""
    marks = [
        soap_values.RPC_ENCODED,
        rpc_encoded.BASE64,
        parser.NAMESPACE_ERROR,
        soap_values.FOREIGN,
        soap_values.REPEATED,
        soap_values.MARKUP,
        soap_values.POSITIONAL,
        *(unread.UNKNOWN, unread.ATTRIBUTE, unread.LOOSE_TEXT),
        *(charsets.BYTES, charsets.LABEL, charsets.SURROGATES),
        *(repair.CONTROL, repair.SURROGATE, repair.ENTITY, repair.UNESCAPED, repair.PREFIX, repair.MARKUP),
    ]
    assert [mark for mark in marks if mark not in REASONS] == []


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (wire.header(account="EX0000000"), "account 'EX0000000' is neither the reference nor an alias"),
        (wire.header(username="Ems"), f"user name 'Ems' is none of account {wire.REFERENCE}"),
        (wire.header(password="wr0ng"), "the password is not that of user name 'ems'"),
        (wire.header(password="***"), "the password in the file is masked"),
        ("<!-- -->", "no credentials came"),
    ],
)
def test_the_rule_that_refuses_credentials_is_said(head: str, said: str, settings: Settings) -> None:
    """More than the caller is told, and never the password."""
    found = explain(wire.envelope(head=head), settings)
    assert not found.taken
    assert found.refused_by is not None
    assert said in found.refused_by
    assert "wr0ng" not in str(found.as_json())
    assert b"Authentication failed" in found.answer.body


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<a><b></a>", "The request is not well-formed XML (the XML parser says: "),
        (b"", "The request is empty"),
        (wire.envelope("<x/>"), "The operation is not one of"),
        (REQUESTS["folded"], "A header is folded"),
        (REQUESTS["elsewhere"], "Nothing is here."),
        (REQUESTS["too large"], "larger than 262144 bytes"),
    ],
)
def test_the_rule_that_refuses_a_request_is_said(data: bytes, said: str, settings: Settings) -> None:
    """In the words of the answer, with the place where the XML breaks."""
    refused_by = explain(data, settings).refused_by
    assert refused_by is not None
    assert said in refused_by


def test_an_address_that_may_not_call_is_refused(settings: Settings) -> None:
    """Where the file does not say who called, that is assumed to be right, and said."""
    server = settings.server.model_copy(update={"allow_from": (ip_network("192.0.2.0/24"),)})
    limited = settings.model_copy(update={"server": server})
    found = explain(GOOD, limited)
    assert found.taken
    assert any("allow_from" in note for note in found.notes)
    assert explain(GOOD, limited, caller="192.0.2.9").taken
    assert "Not allowed from this address" in (explain(GOOD, limited, caller="198.51.100.1").refused_by or "")


def test_a_token_in_the_address_is_masked(settings: Settings) -> None:
    """XML push may carry its secret there."""
    found = explain(wire.request(b"<InboundMessage/>", start="POST /push/t0ken HTTP/1.1"), settings)
    assert found.request.startswith("POST /push/***,")
    assert "t0ken" not in str(found.as_json())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/push/wr0ng", f"no token of account {wire.REFERENCE} is in the address"),
        ("/push", f"no token of account {wire.REFERENCE} is in the address"),
        ("/push/***", "the token in the file is masked"),
    ],
)
def test_the_rule_that_refuses_a_token_is_said(settings: Settings, path: str, said: str) -> None:
    """Where an account has tokens and no user names, no user name is missed."""
    token = PushToken(token=SecretStr("a-token-of-some-length"))
    account = settings.account[0].model_copy(update={"push": (), "push_tokens": (token,)})
    by_token = settings.model_copy(update={"account": (account,)})
    body = f"<InboundMessage><AccountId>{wire.REFERENCE}</AccountId></InboundMessage>".encode()
    found = explain(wire.request(body, start=f"POST {path} HTTP/1.1"), by_token)
    assert said in (found.refused_by or "")
    assert "wr0ng" not in str(found.as_json())


@pytest.mark.parametrize(
    "data",
    [
        wire.request(GOOD).replace(b"\r\n", b"\n"),
        wire.request(GOOD) + b"\n",
        wire.request(GOOD).replace(b"Content-Length: ", b"Content-Length: 1"),
        wire.request(GOOD, "Transfer-Encoding: chunked", sized=False),
    ],
    ids=["line ends", "final newline", "wrong length", "chunks taken away"],
)
def test_what_a_copy_spoils_does_not_count(data: bytes, settings: Settings) -> None:
    """Editors and capture tools change such things."""
    assert explain(data, settings).taken


def test_the_journal_is_asked_and_stays_as_it_is(settings: Settings, tmp_path: Path) -> None:
    """It says whether a notification is known, in which state; no byte of the journal changes."""
    with serving(settings) as service:
        service.take(GOOD)
        assert "known since" in (explain(GOOD, settings).journal or "")
        new = wire.message(id="7c1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d")
        assert (explain(new, settings).journal or "").startswith("new")
        assert len(service.app.journal.records(Selection())) == 1
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "known since" in (explain(GOOD, settings).journal or "")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_all_of_it_is_in_the_json(settings: Settings) -> None:
    """Programs get what people get."""
    assert explain(GOOD, settings).as_json().keys() == {each.name for each in dataclasses.fields(Explanation)}
