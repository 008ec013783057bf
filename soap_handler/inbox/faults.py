"""The vendor error that a SOAP fault of the inbox service carries. Pure reading.

Where the number stands is not known: faultcode, faultstring or detail (contract, section 2). So all three are looked
at, with care: a ``faultstring`` of ASP.NET is a chain of exceptions with their stack traces, full of other numbers. A
number counts only where a code is expected, and the vendor's own wording counts as well. A fault that says both "gone"
and something else is not "gone": a delete is never taken for done on half a word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.errors import InboxError, InboxFaultError, InboxRefusedError, MessageGoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_FOUND: Final = 8
_REFUSED: Final = {
    2: "authentication failed",
    3: "missing header",
    5: "account not live",
    6: "method not enabled",
    16: "not authorised",
}
_UNSPECIFIC: Final = {0, 1}  # "unknown" and "unexpected" contradict nothing
_HIGHEST_CODE: Final = 18
_TEXT_LENGTH: Final = 10_000  # characters that are read of a text

_WORDINGS: Final = [
    # \s* because a class name such as MessageNotFoundException says it too. "Message queue not found" does not.
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (
            r"\bmessage\s*(?:id\s*)?(?:(?:was|is|could|can)\s*)?not\s*(?:be\s*)?found|\bno\s*such\s*message\b",
            _NOT_FOUND,
        ),
        # .NET says "Authentication failed because the remote party ..." of a TLS handshake of EMS's own.
        (r"authentication\s*(?:has\s*)?fail(?:ed|ure)(?!\s+because\s+the\s+remote)", 2),
        (r"missing\s*(?:\w{1,20}\s*)?header|header\s*(?:is\s*|was\s*)?missing", 3),
        (r"account\s*(?:is\s*)?not\s*live", 5),
        (r"method\s*(?:is\s*)?not\s*enabled", 6),
        (r"\bnot\s*authori[sz]ed|\bunauthori[sz]ed", 16),
    )
]

_STACK_FRAME: Final = re.compile(r" at [\w.<>`+\[\]]+\(| --- End of inner| in [A-Za-z]:\\")
_CHAIN: Final = re.compile(r" ?---> ?")
_EXCEPTION_PREFIX: Final = re.compile(r"^[\w.+`]*(?:Exception|Error|Fault)\s*:\s+(?=\S)")
_EXCEPTION_NAME: Final = re.compile(r"\b[A-Za-z]\w{0,60}(?:Exception|Fault)\b")
# "8", "8: ...", "[8] - ...", "Error 8, ...", "ErrorCode=8": at the beginning of a message, never within one.
_LEADING_CODE: Final = re.compile(
    r"^(?:(?:vendor|fault|result)?\s*(?:error\s*)?(?:code|number|no\.?)?)\s*[:=#]?\s*[\[(]?(0|[1-9]\d?)[\])]?\s*"
    r"(?:$|[-\u2013:;,|.](?! ?\d))",
    re.IGNORECASE,
)
_CODE_NAMES: Final = {"code", "error", "errorcode", "errorid", "errornumber", "faultcode", "resultcode", "detail"}
_NUMBER: Final = re.compile(r"0|[1-9]\d?")


def error_of(fault: etree._Element) -> InboxError:
    """Return the error that a ``Fault`` element means. Its text names a code or an exception class, nothing else."""
    codes = _codes(fault) - _UNSPECIFIC
    refused = sorted(codes & _REFUSED.keys())
    if refused:
        return InboxRefusedError(f"SOAP fault, code {refused[0]}, {_REFUSED[refused[0]]}")
    if codes == {_NOT_FOUND}:
        return MessageGoneError(f"SOAP fault, code {_NOT_FOUND}, message not found")
    if codes:
        return InboxFaultError(f"SOAP fault, code {', '.join(map(str, sorted(codes)))}")
    return InboxFaultError(f"SOAP fault, {_class_name(fault) or 'no known code'}")


def _codes(fault: etree._Element) -> set[int]:
    """Return every vendor code that the fault names, by number or in words."""
    found: set[int] = set()
    for part in fault:
        match _name(part):
            case "faultcode" | "code":
                found.update(_codes_in_faultcode(_text(part)))
            case "faultstring" | "reason":
                found.update(_codes_in_text(_text(part)))
            case "detail":
                found.update(_codes_in_detail(part))
    return {code for code in found if code <= _HIGHEST_CODE}


def _codes_in_faultcode(text: str) -> Iterator[int]:
    """Read ``8``, ``soap:8``, ``soap:Server.8`` and ``soap:Client.AuthenticationFailed``."""
    segments = text.strip().rpartition(":")[2].split(".")
    yield from (int(segment) for segment in segments if _NUMBER.fullmatch(segment))
    yield from _codes_in_words(text)


def _codes_in_text(text: str) -> Iterator[int]:
    for message in _messages(text):
        if code := _LEADING_CODE.match(_EXCEPTION_PREFIX.sub("", message)):
            yield int(code[1])
        yield from _codes_in_words(message)


def _codes_in_words(text: str) -> Iterator[int]:
    yield from (code for wording, code in _WORDINGS if wording.search(text))


def _codes_in_detail(detail: etree._Element) -> Iterator[int]:
    """Look at each element by itself: a bare number counts only under a name that promises a code."""
    for element in detail.iter(etree.Element):
        name, text = _name(element), _fold(element.text or "")
        if "stack" in name:
            continue
        if not _NUMBER.fullmatch(text):
            yield from _codes_in_text(text)
        elif name in _CODE_NAMES:
            yield int(text)
        for attribute, value in element.attrib.items():
            if etree.QName(attribute).localname.lower() in _CODE_NAMES and _NUMBER.fullmatch(str(value).strip()):
                yield int(value)


def _messages(text: str) -> Iterator[str]:
    """Return the messages of a chain of exceptions, outermost first, without their stack traces."""
    for link in _CHAIN.split(text):
        yield _STACK_FRAME.split(link, maxsplit=1)[0].strip()


def _class_name(fault: etree._Element) -> str | None:
    """Return the innermost exception class of the faultstring: a name that programmers gave, so nothing personal."""
    for part in fault:
        if _name(part) in {"faultstring", "reason"}:
            names = [name for message in _messages(_text(part)) for name in _EXCEPTION_NAME.findall(message)]
            return names[-1] if names else None
    return None


def _text(element: etree._Element) -> str:
    return _fold("".join(map(str, element.itertext())))


def _fold(text: str) -> str:
    """Fold white space, and cut a text off that is absurdly long: what matters stands before the stack traces."""
    return " ".join(text[:_TEXT_LENGTH].split())


def _name(element: etree._Element) -> str:
    """Return the local name, in lower case; SOAP 1.1 has ``detail`` where SOAP 1.2 has ``Detail``."""
    return etree.QName(element).localname.lower()
