"""Example values: what the samples say, and what the test form begins with. Numbers are from the ranges for fiction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from soap_handler import clock
from soap_handler.contract import OPERATIONS, Structure, Type, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from soap_handler.contract import Operation, Parameter

EXAMPLES: Final[Mapping[str, str]] = {
    "username": "ems",
    "password": "s3cret",
    "account": "EX0012345",
    "notification_id": "0a1b2c3d-1111-4222-8333-444455556666",
    "id": "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d",
    "originator": "447700900123",
    "recipient": "447700900456",
    "body": "Yes please, 2 tickets & a menu, José",
    "type": "Text",
    "sent_at": "2026-03-02T10:15:30Z",
    "received_at": "2026-03-02T10:15:31Z",
    "event_type": "Delivered",
    "occurred_at": "2026-03-02T10:16:02Z",
    "error_type": "ValidityPeriodExpired",
    "detail": "The validity period of the message expired",
    "code": "27",
    "description": "Handset was switched off",
    "permanent_failure": "false",
    "mobile_number": "447700900123",
    "contact_id": "",
    "event_code": "Unsubscribe",
}
"""A value for each attribute of the contract's table."""

_ACCOUNT_ID: Final = "a2b3c4d5-9999-4888-8777-666655554444"


def values_in(version: Version) -> Mapping[str, str]:
    """Return the examples as a version has them: XML push names an account by its GUID."""
    return {**EXAMPLES, "account": _ACCOUNT_ID} if version is Version.XML_PUSH else EXAMPLES


def fresh_values() -> Mapping[str, str]:
    """Return values for a new notification: ids of its own, the present time, no credentials."""
    now = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    times = {each.attribute: now for each in _parameters() if each.type is Type.TIME}
    ids = {"id": str(uuid4()), "notification_id": str(uuid4())}
    return {**EXAMPLES, **times, **ids, "username": "", "password": "", "account": ""}


def flat(operation: Operation) -> Iterator[Parameter]:
    """Return the parameters of an operation; in the place of a structure its members, with the way to them."""
    for parameter in operation.parameters:
        if not isinstance(parameter.type, Structure):
            yield parameter
            continue
        for member in parameter.type.members:
            ways = {
                version: f"{parameter.spellings[version]}/{name}"
                for version, name in member.spellings.items()
                if version in parameter.spellings
            }
            yield replace(member, spellings=ways)


def _parameters() -> Iterator[Parameter]:
    return (parameter for operation in OPERATIONS.values() for parameter in flat(operation))
