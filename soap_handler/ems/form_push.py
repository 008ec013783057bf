"""Form posts as EMS writes them (FormPostVersion2), and a check of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from soap_handler.contract import NOTIFICATION_TYPE, OPERATIONS, Type, Version
from soap_handler.ems.versions import PushRequest, check_status
from soap_handler.ems.wire import credentials

if TYPE_CHECKING:
    import requests

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification

CONTENT_TYPE: Final = "application/x-www-form-urlencoded"

_NOT_SET: Final = "0001-01-01 00:00:00Z"
_MAY_BE_MISSING: Final = "sent_at"  # contract, section 3


class FormWriter:
    """Form Post."""

    def request(self, account: EmsAccount, notification: Notification, *, upper_case_id: bool = False) -> PushRequest:
        """Return the form, in UTF-8."""
        fields = credentials(account, Version.FORM_POST) | {NOTIFICATION_TYPE: notification.kind.value}
        fields |= _parameters(notification)
        if upper_case_id and "id" in fields:
            fields["id"] = fields["id"].upper()
        return PushRequest({"Content-Type": CONTENT_TYPE}, urlencode(fields).encode())

    def check(self, response: requests.Response, notification: Notification) -> None:  # noqa: ARG002 - 200 says it all
        """Return only for HTTP 200."""
        check_status(response)


def _parameters(notification: Notification) -> dict[str, str]:
    fields = {}
    for each in OPERATIONS[notification.kind].parameters:
        value = getattr(notification, each.attribute)
        if Version.FORM_POST in each.spellings and (value is not None or each.attribute != _MAY_BE_MISSING):
            fields[each.spellings[Version.FORM_POST]] = form_time(value) if each.type is Type.TIME else str(value)
    return fields


def form_time(when: datetime | None) -> str:
    """Return a time as a form has it: in UTC, in whole seconds."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if when else _NOT_SET
