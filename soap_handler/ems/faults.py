"""The vendor's error codes, and SOAP faults with them in the form of an ASP.NET service."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any, Final

import soap_handler.faces.soap.compat  # noqa: F401  # isort: split - it patches spyne, which is imported after it

from spyne.model.fault import Fault

from soap_handler.contract import NAMESPACE


class VendorCode(IntEnum):
    """Error codes of the vendor that the inbox can answer with (contract, section 2)."""

    UNKNOWN = 0
    UNEXPECTED = 1
    AUTHENTICATION_FAILED = 2
    MISSING_HEADER = 3
    ACCOUNT_NOT_LIVE = 5
    METHOD_NOT_ENABLED = 6
    FEATURE_NOT_SUPPORTED = 7
    MESSAGE_NOT_FOUND = 8
    NOT_AUTHORISED = 16
    VALIDATION_ERROR = 17


class CodePlace(StrEnum):
    """Place of the vendor's code in a fault. The contract does not know it, so tests try each."""

    CODE = "code"
    STRING = "string"
    DETAIL = "detail"


_CLIENT_CODES: Final = frozenset({VendorCode.AUTHENTICATION_FAILED, VendorCode.MISSING_HEADER})
_WRAPPING: Final = "System.Web.Services.Protocols.SoapException: Server was unable to process request. --->"
_TRACE: Final = "   at InboxService.Invoke(String operation)\n   --- End of inner exception stack trace ---"


class InboxFault(Fault):
    """A fault with a vendor code, with the nested exception texts and the stack trace that ASP.NET sends along."""

    def __init__(self, code: VendorCode, place: CodePlace) -> None:
        side = "Client" if code in _CLIENT_CODES else "Server"
        super().__init__(
            faultcode=f"{side}.{code:d}" if place is CodePlace.CODE else side,
            faultstring=f"{_WRAPPING} System.ApplicationException: {_sentence(code, place)}\n{_TRACE}",
            detail=_detail(code) if place is CodePlace.DETAIL else {},
        )


def _sentence(code: VendorCode, place: CodePlace) -> str:
    words = code.name.replace("_", " ").capitalize()
    return f"Error {code:d}: {words}" if place is CodePlace.STRING else words


def _detail(code: VendorCode) -> dict[str, Any]:
    return {f"{{{NAMESPACE}}}error": {f"{{{NAMESPACE}}}code": f"{code:d}"}}
