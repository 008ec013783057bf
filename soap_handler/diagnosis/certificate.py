"""TLS and the certificate, each rule by a handshake of its own: one fault does not hide another.

OpenSSL stops at the first fault. So the chain is verified without its dates and its name, and the dates and the name
against the certificate itself, which is trusted for that (a partial chain).
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import certifi

from soap_handler.connection_faults import NO_TLS
from soap_handler.diagnosis.finding import ok, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.diagnosis.finding import Finding
    from soap_handler.diagnosis.visit import Visit

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; Python has no name for it
_SELF_SIGNED: Final = 18  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
_PRIVATE_ROOT: Final = 19  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
_ISSUER_MISSING: Final = (2, 20, 21)  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT(_LOCALLY), …_VERIFY_LEAF_SIGNATURE
_DAY_SECONDS: Final = 86400
_DAYS_LEFT: Final = 14
"""Days before its end at which a certificate is warned about; those that renew themselves do so a month before."""


def judge_tls(visit: Visit) -> Iterator[Finding]:
    """Say what is right and wrong with TLS and the certificate."""
    try:
        version, leaf = _greet(visit)
    except OSError as error:
        yield _no_tls(error)
        return
    yield ok("TLS", f"{version} is spoken")
    found = [_judge_chain(visit, leaf), _judge_name(visit, leaf), _judge_dates(visit, leaf)]
    yield from found
    if all(finding.verdict.value != "wrong" for finding in found):
        yield from _judge_whole(visit)


def trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies everything: well-known roots and those of a bundle, dates, host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the same whichever Python this is
    context.load_verify_locations(cafile=certifi.where())
    if ca_bundle is not None:
        context.load_verify_locations(cafile=str(ca_bundle))
    return context


def blind() -> ssl.SSLContext:
    """Return a context that verifies nothing: to look at what is there. No password may be sent through it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _greet(visit: Visit) -> tuple[str, bytes]:
    """Return the version of TLS and the server's certificate, whatever that is worth."""
    with _shaken(visit, blind()) as connection:
        return connection.version() or "TLS", connection.getpeercert(binary_form=True) or b""


def _shaken(visit: Visit, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection after its handshake."""
    address = visit.address
    plain = socket.create_connection((address.host, address.port), visit.timeout)
    try:
        return context.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


def _no_tls(error: OSError) -> Finding:
    reason = getattr(error, "reason", None) or ""
    if "PROTOCOL" in reason and "UNKNOWN" not in reason:
        mend = "switch on TLS 1.2 and TLS 1.3 (nginx: ssl_protocols TLSv1.2 TLSv1.3;)"
        return wrong("TLS", "TLS 1.2 or later is not spoken", mend)
    if isinstance(error, ssl.SSLError) and reason in NO_TLS:
        mend = "serve https on this port, by a proxy with a certificate: soap-handler deploy nginx"
        return wrong("TLS", "the port answers without TLS, in plain HTTP or something else", mend)
    text = f"no TLS handshake: {reason or error or type(error).__name__}"
    return wrong("TLS", text, "see the log of the proxy; soap-handler deploy nginx prints a configuration")


# -- the chain -------------------------------------------------------------------------------------------------------


def _judge_chain(visit: Visit, leaf: bytes) -> Finding:
    context = _without_dates(visit.ca_bundle, check_hostname=False)
    code, message = _verify(visit, context)
    if code == 0:
        if visit.ca_bundle is not None and _verify(visit, _without_dates(None, check_hostname=False))[0]:
            return ok("chain", f"chains to a root of {visit.ca_bundle}; EMS must know that root too")
        return ok("chain", "complete, and chains to a well-known root")
    if code == _SELF_SIGNED:
        mend = "get a certificate of a well-known authority, for instance from Let's Encrypt"
        return wrong("chain", "the certificate is self-signed", mend)
    if code == _PRIVATE_ROOT:
        mend = "get a certificate of a well-known authority; --ca-bundle FILE checks with a private root"
        return wrong("chain", "the chain ends in a root that is not well-known", mend)
    issuer = _issuer(visit, leaf)
    if code in _ISSUER_MISSING:
        mend = (
            "serve the whole chain (nginx: ssl_certificate fullchain.pem); if a private authority issued it, get a "
            "certificate of a well-known one"
        )
        return wrong("chain", f"the chain is incomplete: the certificate of its issuer, {issuer}, is not sent", mend)
    return wrong("chain", f"not trusted: {message}; issued by {issuer}", "renew the certificate")


def _without_dates(ca_bundle: Path | None, *, check_hostname: bool) -> ssl.SSLContext:
    context = trusting(ca_bundle)
    context.check_hostname = check_hostname
    context.verify_flags |= _NO_CHECK_TIME
    return context


def _verify(visit: Visit, context: ssl.SSLContext) -> tuple[int, str]:
    """Return OpenSSL's code and words for the first fault that a context finds; 0 where there is none."""
    try:
        _shaken(visit, context).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code, error.verify_message
    except OSError as error:
        return -1, str(error)
    return 0, ""


# -- name and dates --------------------------------------------------------------------------------------------------


def _of_itself(leaf: bytes, *, check_hostname: bool) -> ssl.SSLContext:
    """Return a context that trusts this very certificate and checks nothing but, perhaps, its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=leaf)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    context.check_hostname = check_hostname
    return context


def _content(visit: Visit, leaf: bytes) -> dict[str, Any]:
    """Return what the certificate says; nothing where it cannot be read."""
    try:
        with _shaken(visit, _of_itself(leaf, check_hostname=False)) as connection:
            return dict(connection.getpeercert() or {})
    except OSError:
        return {}


def _issuer(visit: Visit, leaf: bytes) -> str:
    parts = dict(pair for group in _content(visit, leaf).get("issuer", ()) for pair in group)
    return str(parts.get("commonName") or parts.get("organizationalUnitName") or parts.get("organizationName") or "?")


def _judge_name(visit: Visit, leaf: bytes) -> Finding:
    code, message = _verify(visit, _of_itself(leaf, check_hostname=True))
    if code == 0:
        return ok("host name", f"the certificate is for {visit.address.host}")
    names = [value for _, value in _content(visit, leaf).get("subjectAltName", ())]
    told = f"it is for {', '.join(names)}" if names else f"it names no host ({message})"
    mend = f"get a certificate for {visit.address.host}, or register an address with a name that it has"
    return wrong("host name", f"the certificate is not for {visit.address.host}; {told}", mend)


def _judge_dates(visit: Visit, leaf: bytes) -> Finding:
    content, now = _content(visit, leaf), time.time()
    if not content:
        return wrong("days left", "the dates of the certificate cannot be read", "renew the certificate")
    begins, ends = (ssl.cert_time_to_seconds(content[name]) for name in ("notBefore", "notAfter"))
    if now > ends:
        mend = "renew the certificate, reload the proxy, and have both happen by itself (certbot, Caddy)"
        return wrong("days left", f"the certificate expired on {content['notAfter']}", mend)
    if now < begins:
        mend = "set the clock of this machine, or wait"
        return wrong("days left", f"the certificate is not valid before {content['notBefore']}", mend)
    days = int((ends - now) // _DAY_SECONDS)
    if days < _DAYS_LEFT:
        return warning("days left", f"{days}, until {content['notAfter']}", "renew the certificate now")
    return ok("days left", f"{days}, until {content['notAfter']}")


def _judge_whole(visit: Visit) -> Iterator[Finding]:
    """Verify as EMS would: all at once. It finds what the single checks do not, such as an expired intermediate."""
    code, message = _verify(visit, trusting(visit.ca_bundle))
    if code:
        mend = "renew the chain that the server sends (nginx: ssl_certificate fullchain.pem)"
        yield wrong("certificate", f"not trusted as a whole: {message}", mend)
