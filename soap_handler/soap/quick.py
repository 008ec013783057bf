"""The reader made for the four operations as EMS sends them: one pass over the parsed envelope, no checks but a table.

It knows only the usual: whatever is not exactly as expected gives ``None``, and the general way (``protocol``) decides
what that is. A property test holds the two together: equal values, or the general way alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.accounts import Credentials
from soap_handler.contract import NAMESPACE, SOAP_11
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element as Element

    from soap_handler.reading import Fields

_FRAME: Final = (
    f"{{{SOAP_11}}}Envelope",
    f"{{{SOAP_11}}}Header",
    f"{{{SOAP_11}}}Body",
    f"{{{NAMESPACE}}}MessengerHeader",
)
_MUST_UNDERSTAND: Final = f"{{{SOAP_11}}}mustUnderstand"


def _tags(**names: str) -> dict[str, str]:
    return {f"{{{NAMESPACE}}}{wire}": attribute for wire, attribute in names.items()}


_CREDENTIALS: Final = _tags(Username="username", Password="password", Account="account")  # noqa: S106 - names, no secrets
_FAILURE_REASON: Final = f"{{{NAMESPACE}}}failurereason"
_FAILURE: Final = _tags(code="code", description="description", permanentfailure="permanent_failure")
_OPERATIONS: Final = {
    f"{{{NAMESPACE}}}{kind.value}": (kind, parameters)
    for kind, parameters in {
        Kind.MESSAGE_RECEIVED: _tags(
            id="id",
            originator="originator",
            recipient="recipient",
            body="body",
            type="type",
            sentat="sent_at",
            receivedat="received_at",
        ),
        Kind.MESSAGE_EVENT: _tags(id="id", eventtype="event_type", occurredat="occurred_at"),
        Kind.MESSAGE_ERROR: _tags(
            id="id",
            errortype="error_type",
            occurredat="occurred_at",
            detail="detail",
            failurereason="failure_reason",
        ),
        Kind.SUBSCRIPTION_EVENT: _tags(
            mobileNumber="mobile_number", contactID="contact_id", eventCode="event_code", occurredAt="occurred_at"
        ),
    }.items()
}


_START: Final = re.compile(
    rb"""(?:<\?xml\s+version=(["'])1\.0\1(?:\s+encoding=(["'])utf-8\2)?\s*\?>\s*)?<[A-Za-z_]""", re.IGNORECASE
)
"""The beginning of a document that is certainly in UTF-8, or not well-formed."""


class UnusualError(Exception):
    """The request is not as EMS usually sends it; it may be good all the same."""


class QuickReader:
    """Reads usual requests. Not thread-safe, since its parser is not: one for each thread that reads."""

    def __init__(self) -> None:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        self._parse: Callable[[bytes], Element] = lambda body: etree.fromstring(body, parser)

    def read(self, body: bytes) -> tuple[Kind, Fields, Credentials] | None:
        """Return what the request says, or ``None`` where the general way must look."""
        if b"<!DOCTYPE" in body or not _START.match(body):  # a doctype may be in somebody's message only
            return None
        try:
            return _read(self._parse(body))
        except (UnusualError, etree.XMLSyntaxError, ValueError, LookupError):
            return None


def _read(root: Element) -> tuple[Kind, Fields, Credentials]:
    header, content = root  # ValueError: not two parts
    (block,), (operation,) = header, content  # likewise
    if (root.tag, header.tag, content.tag, block.tag) != _FRAME:
        raise UnusualError
    if root.keys() or header.keys() or content.keys() or operation.keys() or set(block.keys()) - {_MUST_UNDERSTAND}:
        raise UnusualError
    kind, parameters = _OPERATIONS[operation.tag]
    return kind, _fields(operation, parameters), Credentials(**_credentials(block))


def _credentials(block: Element) -> dict[str, str]:
    texts = {"username": "", "password": "", "account": ""}
    for child in block:
        texts[_CREDENTIALS[child.tag]] = _text(child)
    if len(block) != len(texts):
        raise UnusualError
    return texts


def _fields(operation: Element, parameters: dict[str, str]) -> Fields:
    fields: dict[str, str | Fields | None] = {}
    for child in operation:
        fields[parameters[child.tag]] = _fields(child, _FAILURE) if child.tag == _FAILURE_REASON else _text(child)
    if len(fields) != len(operation):
        raise UnusualError  # something is repeated
    return fields


def _text(element: Element) -> str:
    if len(element) or element.keys():
        raise UnusualError
    return element.text or ""
