"""Requests of XML push as the vendor's present service writes them, and a check of the answer. Nothing is sent here."""

from __future__ import annotations

import uuid
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from soap_handler.contract import OPERATIONS, XML_PUSH_FRAME, Structure, Type, Version
from soap_handler.ems.versions import PushRequest, check_status
from soap_handler.ems.wire import NOT_SET
from soap_handler.notifications import EventCode, SubscriptionEvent
from soap_handler.xml.control_characters import shield, unshield

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests

    from soap_handler.contract import Parameter, ParameterType
    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification

CONTENT_TYPE: Final = "application/xml; charset=utf-8"

_IDS: Final = uuid.UUID("6f0a1d52-2f0e-4c53-9d5f-3f0c9c1f4b6a")  # the namespace of made-up ids of notifications


class XmlWriter:
    """XML push."""

    def request(self, account: EmsAccount, notification: Notification, *, upper_case_id: bool = False) -> PushRequest:
        """Return the element, the same each time. What XML push has no child for is left out.

        The login goes by HTTP Basic. Where the account has no user name, the address must hold a token.
        """
        headers = {"Content-Type": CONTENT_TYPE}
        if account.push_username:
            pair = f"{account.push_username}:{account.push_password}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        frame = {
            "notification_id": notification.notification_id or str(uuid.uuid5(_IDS, notification.key)),
            "account": account.pushed_as or account.reference,
            "account_reference": account.reference,
        }
        return PushRequest(headers, _document(notification, frame, upper_case_id=upper_case_id))

    def check(self, response: requests.Response, notification: Notification) -> None:  # noqa: ARG002 - 200 says it all
        """Return only for HTTP 200."""
        check_status(response)


def _document(notification: Notification, frame: Mapping[str, str], *, upper_case_id: bool) -> bytes:
    operation = OPERATIONS[notification.kind]
    is_other_subscription_event = (
        isinstance(notification, SubscriptionEvent) and notification.event_code != EventCode.UNSUBSCRIBE
    )
    version = Version.SOAP if is_other_subscription_event else Version.XML_PUSH  # of these the vendor tells no form
    root = etree.Element(str(notification.kind) if is_other_subscription_event else operation.xml_push)
    framed = XML_PUSH_FRAME if isinstance(notification, SubscriptionEvent) else XML_PUSH_FRAME[:-1]
    for each in framed:
        etree.SubElement(root, each.spellings[Version.XML_PUSH]).text = frame[each.attribute]
    _write(root, operation.parameters, notification, version)
    if upper_case_id:
        for element in root.iter("MessageId"):
            element.text = (element.text or "").upper()
    return unshield(etree.tostring(root, encoding="utf-8"))


def _write(parent: etree._Element, members: Iterable[Parameter], value: object, version: Version) -> None:
    for each in members:
        if version not in each.spellings:
            continue
        content = getattr(value, each.attribute)
        *outer, name = each.spellings[version].split("/")
        owner = parent
        for step in outer:
            owner = etree.SubElement(owner, step)
        if not isinstance(each.type, Structure):
            etree.SubElement(owner, name).text = _text(content, each.type)
        elif content is not None:
            _write(etree.SubElement(owner, name), each.type.members, content, version)


def _text(value: Any, kind: ParameterType) -> str:  # noqa: ANN401 - any attribute of any notification
    match kind:
        case Type.TIME:
            return utc_time(value)
        case Type.NUMBER:
            return str(value or 0)
        case Type.BOOLEAN:
            return str(bool(value)).lower()
        case _:
            return shield(str(value))


def utc_time(when: datetime | None) -> str:
    """Return a time as XML push has it: in UTC, and without a zone."""
    return NOT_SET if when is None else when.astimezone(UTC).replace(tzinfo=None).isoformat()
