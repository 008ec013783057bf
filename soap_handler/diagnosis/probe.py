"""A test notification as EMS would push it, in each version of the API, and what an answer to it means."""

from __future__ import annotations

import uuid
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from lxml import etree

from soap_handler.contract import CREDENTIALS, MESSENGER_HEADER, NAMESPACE, OPERATIONS, SOAP_11, Version, soap_action
from soap_handler.notifications import TEST_ID, MessageReceived
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from soap_handler.diagnosis.exchange import Reply
    from soap_handler.diagnosis.visit import Login

_KIND: Final = MessageReceived.kind
XML_PUSH_PATH: Final = "/push"
"""Beside the usual path: where XML push goes to."""
HEADERS: Final = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": f'"{soap_action(_KIND.value)}"',
    "Connection": "close",
}
"""The headers of a push."""


def made_up_notification(account: str) -> MessageReceived:
    """Return a test notification of its own. The journal knows it by its id, and gives it to no handler."""
    now = datetime.now(UTC)
    return MessageReceived(
        account=account,
        id=f"{TEST_ID}{uuid.uuid4()}",
        originator="doctor",
        recipient="test",
        body="A test by soap-handler doctor. No handler is given it.",
        sent_at=now,
        received_at=now,
    )


def envelope(notification: MessageReceived, login: Login, password: str) -> bytes:
    """Return the SOAP request that pushes it."""
    login_texts = {"username": login.username, "password": password, "account": login.account}
    head = {row.name: login_texts[row.attribute] for row in CREDENTIALS}
    values = {row.name: _text(getattr(notification, row.attribute)) for row in OPERATIONS[_KIND].parameters}
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP_11}">'
        f"<soap:Header>{_element(MESSENGER_HEADER, head)}</soap:Header>"
        f"<soap:Body>{_element(_KIND.value, values)}</soap:Body></soap:Envelope>"
    ).encode()


@dataclass(frozen=True, slots=True)
class Probe:
    """A push in one version of the API."""

    body: bytes
    headers: Mapping[str, str]
    path: str | None = None
    """Where it goes to, if not to the address itself."""


def other_versions(notification: MessageReceived, login: Login, password: str) -> dict[Version, Probe]:
    """Return the push in the versions other than SOAP with headers."""
    given = _named(notification, login, password)
    plain = dict(HEADERS)
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in given(Version.SOAP_NO_HEADERS).items())
    soap = (
        f'<soap:Envelope xmlns:soap="{SOAP_11}"><soap:Body><{_KIND.value} xmlns="{NAMESPACE}">{inner}</{_KIND.value}>'
        "</soap:Body></soap:Envelope>"
    )
    form = urlencode({**given(Version.FORM_POST), "notificationType": _KIND.value})
    root = OPERATIONS[_KIND].xml_push
    elements = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in given(Version.XML_PUSH).items())
    basic = b64encode(f"{login.username}:{password}".encode()).decode()
    return {
        Version.SOAP_NO_HEADERS: Probe(soap.encode(), plain),
        Version.FORM_POST: Probe(form.encode(), {"Content-Type": "application/x-www-form-urlencoded"}),
        Version.XML_PUSH: Probe(
            f"<{root}>{elements}</{root}>".encode(),
            {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {basic}"},
            XML_PUSH_PATH,
        ),
    }


def _named(notification: MessageReceived, login: Login, password: str) -> Callable[[Version], dict[str, str]]:
    """Return a function that gives credentials and values by their names in a version."""
    secrets = {"username": login.username, "password": password, "account": login.account}

    def named(version: Version) -> dict[str, str]:
        rows = [(row, secrets[row.attribute]) for row in CREDENTIALS]
        rows += [(row, _text(getattr(notification, row.attribute))) for row in OPERATIONS[_KIND].parameters]
        return {row.spellings[version]: text for row, text in rows if version in row.spellings}

    return named


def _text(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _element(name: str, members: Mapping[str, str]) -> str:
    inner = "".join(f"<{member}>{escape(text)}</{member}>" for member, text in members.items())
    return f'<{name} xmlns="{NAMESPACE}">{inner}</{name}>'


def is_confirmed(reply: Reply) -> bool:
    """Whether an answer confirms the push: HTTP 200 with the empty response element (contract, section 1)."""
    if reply.status != 200:
        return False
    try:
        body = parse(reply.body).find(f"{{{SOAP_11}}}Body")
    except (etree.XMLSyntaxError, ValueError):
        return False
    return body is not None and [child.tag for child in body] == [f"{{{NAMESPACE}}}{_KIND.value}Response"]


def fault_in(reply: Reply) -> tuple[str, str] | None:
    """Return code and text of the SOAP fault that an answer holds, or ``None``."""
    try:
        fault = parse(reply.body).find(f".//{{{SOAP_11}}}Fault")
    except (etree.XMLSyntaxError, ValueError):
        return None
    if fault is None:
        return None
    return (fault.findtext("faultcode") or "").rpartition(":")[2], fault.findtext("faultstring") or ""


def described(reply: Reply) -> str:
    """Return what came, in words."""
    fault = fault_in(reply)
    if fault is not None:
        return f"HTTP {reply.status}, a {fault[0]} fault: {fault[1]}"
    where = reply.headers.get("location")
    return f"HTTP {reply.status}" + (f" to {where}, which EMS does not follow" if where else "")
