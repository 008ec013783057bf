"""Why a request had to be repaired: one sentence for each mark in ``notification.repaired``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

REASONS: Final = {
    "encoding": "the bytes are not in the encoding that the request declares; the likeliest one was taken",
    "charset": "the charset of the Content-Type header is unknown, or contradicts the document",
    "surrogate pair": "a character was written as two surrogates, as Axis 1.4 writes an emoji",
    "control character": "a control character stands in the text, which XML forbids; it was kept",
    "lone surrogate": "half of a surrogate pair stands in the text; it was kept",
    "named entity": "a named entity such as &nbsp; was used, which XML does not know; its character was taken",
    "unescaped character": "an & or < stands unescaped in a text; it was read as itself",
    "undeclared prefix": "a namespace prefix is not declared; one was assumed",
    "namespace declaration": "a namespace is declared in a way that XML forbids; the declaration may not have counted",
    "markup": "the document is not well-formed; it became so by the repair of its text",
    "encoded call": "the call is rpc/encoded instead of document/literal",
    "base64": "a value came as base64; it was decoded",
    "namespace": "an element is in another namespace than the contract's, or in none",
    "repeated element": "a parameter came twice, or an unknown one came; one value was taken, the request is kept",
    "markup in a value": "a value holds elements where a text was expected",
    "unknown element": "an element is none of this version of the API; it is in the request, which is kept",
    "unknown field": "a field is none of this version of the API; it is in the request, which is kept",
    "repeated field": "a field came twice; the first counts, the request is kept",
    "attribute": "an element has an attribute where none is expected; the request is kept",
    "text between elements": "a text stands where only elements are expected; the request is kept",
    "spelling": "a name is spelt in other letter case than the vendor's",
    "id missing": "the notification has no id; a digest of the request stands for it",
    "account not named": "the request names no account; the only one that its credentials fit was taken",
    "positional call": "the parameters have no names of the contract; they were taken by their positions",
}
"""The reason for each mark of a face or of the XML reader."""


def reason_of(mark: str, notification: Notification) -> str:
    """Return why a mark was set."""
    name, _, fault = mark.rpartition(" ")
    if fault == "missing" and mark not in REASONS:
        return f"the request says nothing in {name}"
    if fault == "unreadable" and mark not in REASONS:
        return f"{notification.original.get(name, '')!r} is no value of {name}; the text is kept in original"
    return REASONS.get(mark, "")
