"""Why there was no answer, in words for an operator: what is wrong with TLS, else what the system says. Pure."""

from __future__ import annotations

import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Final

NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"}
)
"""Reasons of OpenSSL that mean: what answered is plain HTTP or something else."""
_OLD_TLS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"})

_VERIFICATION: Final = {
    **dict.fromkeys((2, 18, 19, 20, 21, 27), "the certificate is of an unknown issuer"),
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    **dict.fromkeys((62, 64), "the certificate is for another name"),
}
"""By OpenSSL's codes X509_V_ERR_…."""


_ANSWERS: Final = {
    RemoteDisconnected: "the connection was closed without an answer",
    IncompleteRead: "the answer ended before its end",
    HTTPException: "the answer is not proper HTTP",
}
"""By what ``http.client`` raises; the first that fits."""


def tls_fault(error: BaseException) -> str | None:
    """Return what is wrong with TLS; ``None`` where an error is not about TLS. No text of the other side is quoted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        found = _VERIFICATION.get(error.verify_code)
        return f"TLS: {found or f'the certificate is not trusted (OpenSSL code {error.verify_code})'}"
    if type(error).__name__ == "CertificateError":  # urllib3's own look at the name
        return f"TLS: {_VERIFICATION[62]}"
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if reason in NO_TLS:
        return "TLS: the port answers without TLS, in plain HTTP or something else"
    if reason in _OLD_TLS:
        return "TLS: there is no version of TLS that both sides speak"
    return f"TLS: the handshake failed ({reason or type(error).__name__})"


def no_answer(error: BaseException) -> str:
    """Return why there was no answer, by the innermost error. The address is left out: it may hold a secret."""
    root = _innermost(error)
    fault = tls_fault(root)
    if fault is not None:
        return fault
    reason = _reason(root, error)
    return f"{type(error).__name__} ({reason})" if reason else type(error).__name__


def was_closed(error: BaseException) -> bool:
    """Whether the other side closed the connection before any of its answer came."""
    # http.client's RemoteDisconnected is a reset too; over TLS, to write to what was closed is an early end
    return isinstance(_innermost(error), ConnectionResetError | BrokenPipeError | ssl.SSLEOFError)


def _innermost(error: BaseException) -> BaseException:
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


def _reason(root: BaseException, error: BaseException) -> str | None:
    """Return what went wrong, in words; ``None`` where none are known. No text of the other side is quoted."""
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    if isinstance(root, TimeoutError):
        connecting = type(error).__name__.startswith("Connect") and "Timeout" in type(error).__name__
        return f"the {'connection' if connecting else 'whole answer'} did not come in time"
    return next((words for kind, words in _ANSWERS.items() if isinstance(root, kind)), None)
