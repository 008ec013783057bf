"""A test notification as EMS pushes it, by the writers of the simulated EMS, and what an answer to it means."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11, Version
from soap_handler.ems.accounts import EmsAccount
from soap_handler.ems.caller import WRITERS
from soap_handler.notifications import TEST_ID, MessageReceived
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from soap_handler.diagnosis.exchange import Reply
    from soap_handler.diagnosis.visit import Login
    from soap_handler.ems.versions import PushRequest


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


def request_of(notification: MessageReceived, login: Login, password: str, api: Version = Version.SOAP) -> PushRequest:
    """Return the request that pushes it in a version of the API. The inbox is not called."""
    presented = {"push_username": login.username, "push_password": password}
    account = EmsAccount(reference=login.account, username="", password="", **presented)
    return WRITERS[api]().request(account, notification)


def is_confirmed(reply: Reply) -> bool:
    """Whether an answer confirms the push: HTTP 200 with the empty response element (contract, section 1)."""
    if reply.status != 200:
        return False
    try:
        body = parse(reply.body).find(f"{{{SOAP_11}}}Body")
    except (etree.XMLSyntaxError, ValueError):
        return False
    return body is not None and [child.tag for child in body] == [f"{{{NAMESPACE}}}{MessageReceived.kind}Response"]


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
