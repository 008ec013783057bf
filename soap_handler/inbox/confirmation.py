"""Confirmation: whether an answer of the inbox service confirms the call. Only one that says so in full does."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.contract import NAMESPACE, SOAP_11, SOAP_12
from soap_handler.errors import InboxRefusedError, InboxUnavailableError
from soap_handler.inbox.faults import error_of
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: bytes


def confirm(operation: str, answer: Answer) -> None:
    """Return if this is the answer with which EMS confirms an operation.

    That is HTTP 200 and the operation's response element; what is in it, or beside it, does not matter.

    Raises:
        InboxError: it is anything else. The error says what, without a word of the answer's own text.
    """
    if answer.status in _REFUSED:
        raise InboxRefusedError(f"HTTP {answer.status}")
    content = _soap_body(answer.body)
    for element in content or ():
        if etree.QName(element).localname == "Fault":
            raise error_of(element)
    if answer.status != HTTPStatus.OK or not _confirmed(operation, content):
        raise InboxUnavailableError(f"HTTP {answer.status}, {_description(answer.body, content)}")


def _confirmed(operation: str, content: Sequence[etree._Element] | None) -> bool:
    return content is not None and [element.tag for element in content[:1]] == [f"{{{NAMESPACE}}}{operation}Response"]


def _soap_body(document: bytes) -> list[etree._Element] | None:
    """Return the elements in the SOAP Body, or ``None`` when this is no whole envelope."""
    try:
        root = parse(document.lstrip())
    except (etree.XMLSyntaxError, ValueError):
        return None
    for soap in (SOAP_11, SOAP_12):
        body = root.find(f"{{{soap}}}Body")
        if root.tag == f"{{{soap}}}Envelope" and body is not None:
            return [element for element in body if isinstance(element.tag, str)]
    return None


def _description(document: bytes, content: Sequence[etree._Element] | None) -> str:
    if not document.strip():
        return "an empty answer"
    if content is None:
        return "an answer that is not SOAP"
    return "another SOAP answer than expected" if content else "an empty SOAP Body"
