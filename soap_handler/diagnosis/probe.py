"""A test notification as EMS would push it over SOAP, and what an answer to it means."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from lxml import etree

from soap_handler.contract import CREDENTIALS, MESSENGER_HEADER, NAMESPACE, OPERATIONS, SOAP_11, soap_action
from soap_handler.notifications import TEST_ID, MessageReceived
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.diagnosis.exchange import Reply
    from soap_handler.diagnosis.visit import Login

_KIND: Final = MessageReceived.kind
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
