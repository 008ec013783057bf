"""The vendor's error codes, and the faults that carry them as an ASP.NET service writes them."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any, Final

import soap_handler.faces.soap.compat  # noqa: F401  # isort: split - its import mends spyne, which must come after it

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
    """Where a fault carries the vendor's code. The contract does not know it, so it is to be chosen."""

    CODE = "code"
    STRING = "string"
    DETAIL = "detail"


_CALLER_IS_WRONG: Final = frozenset({VendorCode.AUTHENTICATION_FAILED, VendorCode.MISSING_HEADER})
_WRAPPING: Final = "System.Web.Services.Protocols.SoapException: Server was unable to process request. --->"
_TRACE: Final = "   at InboxService.Invoke(String operation)\n   --- End of inner exception stack trace ---"


class InboxFault(Fault):
    """A fault with a vendor code, with the nested exception texts and the stack trace that ASP.NET sends along."""

    def __init__(self, code: VendorCode, place: CodePlace) -> None:
        side = "Client" if code in _CALLER_IS_WRONG else "Server"
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
