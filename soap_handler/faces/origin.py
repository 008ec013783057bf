"""Where a push came from: the names of the versions of the API as the journal keeps them, and how people are told."""

from __future__ import annotations

from typing import Final

from soap_handler.contract import Version
from soap_handler.journal import Attempt, Record, Source, Step

SOAP: Final = Version.SOAP.value
SOAP_12: Final = "soap12"
NO_HEADER: Final = "-no-header"
"""Behind the name of a version of SOAP where there is no MessengerHeader: the login is in the operation, or in HTTP."""
SOAP_NO_HEADER: Final = Version.SOAP_NO_HEADERS.value
FORM: Final = Version.FORM_POST.value
XML: Final = Version.XML_PUSH.value

_TITLES: Final = {
    SOAP: "SOAP",
    SOAP_NO_HEADER: "SOAP without header",
    SOAP_12: "SOAP 1.2",
    f"{SOAP_12}{NO_HEADER}": "SOAP 1.2 without header",
    FORM: "Form Post",
    XML: "XML push",
}
NOT_RECORDED: Final = "caller and version not recorded"
"""Of a push that a former release stored."""


def origin_of(came: Record | Attempt) -> str | None:
    """Return in which version of the API and from which address a push came, in words.

    ``None`` for what is no push, and for what was erased.
    """
    if not (_was_pushed(came) if isinstance(came, Record) else _is_push(came)):
        return None
    if came.api is None and came.caller is None:
        return NOT_RECORDED
    version = "version not recorded," if came.api is None else _TITLES.get(came.api, came.api)
    caller = "an address that is not recorded" if came.caller is None else came.caller
    return f"{version} from {caller}"


def _was_pushed(record: Record) -> bool:
    return record.source is not Source.INBOX and record.erased_at is None


def _is_push(line: Attempt) -> bool:
    return line.step is Step.PUSH and line.owner != Source.INBOX.value
