"""The service behind the address: its description, plain HTTP, wrong and right password, clock."""

from __future__ import annotations

import dataclasses
import secrets
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.contract import Version
from soap_handler.diagnosis.exchange import NoAnswerError, ask
from soap_handler.diagnosis.finding import ok, skipped, warning, wrong
from soap_handler.diagnosis.probe import (
    described,
    fault_in,
    is_confirmed,
    made_up_notification,
    request_of,
)
from soap_handler.errors import JournalUnavailableError
from soap_handler.faces.xml_push import PATH as XML_PUSH_PATH
from soap_handler.journal import Source, peek
from soap_handler.xml.parser import parse

if TYPE_CHECKING:
    import ssl

    from soap_handler.diagnosis.exchange import Reply
    from soap_handler.diagnosis.finding import Finding
    from soap_handler.diagnosis.visit import Login, Visit
    from soap_handler.ems.versions import PushRequest
    from soap_handler.notifications import MessageReceived

QUICK_SECONDS: Final = 1.0
"""Within which a push is to be answered, connection and TLS included."""
_CLOCK_SECONDS: Final = 10.0  # by which two clocks may differ; the Date header has whole seconds
_REFUSAL: Final = "Authentication failed"
_SOAP_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"
_NO_SERVICE: Final = "the address must lead to soap-handler: see the proxy's configuration, and that the service runs"


def judge_http(visit: Visit) -> Finding:
    """Say whether plain HTTP shows a page, which would be taken for the address to register."""
    what = "http"
    plain = dataclasses.replace(visit.address, is_https=False, port=visit.http_port)
    try:
        reply = ask(plain, None, visit.timeout)
    except NoAnswerError:
        return ok(what, f"port {visit.http_port} answers nothing")
    mend = "refuse it, as soap-handler deploy nginx does: a caller on http has already sent the password in the clear"
    if reply.status < 300:
        return wrong(what, f"http on port {visit.http_port} answers with a page", mend)
    if reply.status < 400:
        return warning(what, f"http on port {visit.http_port} redirects to https, which EMS does not follow", mend)
    return ok(what, f"http on port {visit.http_port} is refused with HTTP {reply.status}")


def judge_wsdl(visit: Visit, context: ssl.SSLContext | None) -> tuple[Finding, Reply | None]:
    """Say whether the description names this very address; return the answer too."""
    what, url = "WSDL", visit.address.url
    try:
        reply = ask(visit.address, context, visit.timeout, path=f"{visit.address.path.partition('?')[0]}?wsdl")
    except NoAnswerError as error:
        return wrong(what, str(error), _NO_SERVICE), None
    if reply.status != 200:
        return wrong(what, f"{url}?wsdl answers {described(reply)}", _NO_SERVICE), reply
    try:
        found = [str(port.get("location", "")) for port in parse(reply.body).iter(_SOAP_ADDRESS)]
    except (etree.XMLSyntaxError, ValueError):
        found = []
    if not found:
        return wrong(what, f"{url}?wsdl is no WSDL", _NO_SERVICE), reply
    if found[0] != url:
        base = url[: -len(visit.address.path)]
        mend = f'set server.public_url = "{base}" (with the path before the usual one, if there is any)'
        return wrong(what, f"its soap:address is {found[0]}, not {url}", mend), reply
    return ok(what, f"its soap:address is {url}"), reply


def judge_wrong_password(visit: Visit, login: Login, context: ssl.SSLContext | None) -> Finding:
    """Say whether a made-up password is refused."""
    what = "wrong password"
    notification = made_up_notification(login.account)
    try:
        reply = _push(visit, context, request_of(notification, login, secrets.token_hex()))
    except NoAnswerError as error:
        return wrong(what, str(error), _NO_SERVICE)
    if is_confirmed(reply):
        mend = "give the account a username and a password (account.push), and leave out anonymous"
        text = "is taken: every caller that reaches this address may push"
        return warning(what, f"{text}; the account is anonymous", mend) if login.anonymous else wrong(what, text, mend)
    if fault_in(reply) == ("Client", _REFUSAL):
        return ok(what, "is refused")
    return wrong(what, f"is not refused as such, but answered with {described(reply)}", _mend(reply))


def judge_right_password(visit: Visit, login: Login, context: ssl.SSLContext | None) -> list[Finding]:
    """Push a test notification; say whether it is taken, how quickly, and whether the journal holds it as a test."""
    what = "right password"
    if login.password is None:
        mend = "give it with --password, or in SOAP_HANDLER_PUSH_PASSWORD"
        return [skipped(what, "only the hash of the password is known, or nothing", mend)]
    notification = made_up_notification(login.account)
    try:
        reply = _push(visit, context, request_of(notification, login, login.password))
    except NoAnswerError as error:
        return [wrong(what, str(error), "see the log of the service and of the proxy")]
    if not is_confirmed(reply):
        return [wrong(what, f"is not taken: {described(reply)}", _mend(reply))]
    findings = [ok(what, f"a test notification is taken: {notification.id}"), _judge_speed(reply)]
    if visit.journal_url is not None:
        findings.append(_judge_journal(visit.journal_url, notification))
    return [*findings, _list_versions(visit, login, login.password, context)]


def judge_clock(reply: Reply) -> Finding:
    """Say whether the service's clock agrees with ours."""
    what = "clock"
    try:
        ahead = parsedate_to_datetime(reply.headers.get("date", "")).timestamp() - reply.moment
    except ValueError:
        return skipped(what, "the answer has no Date header that can be read")
    if abs(ahead) < _CLOCK_SECONDS:
        return ok(what, "the Date header agrees with the clock of this machine")
    direction = "ahead of" if ahead > 0 else "behind"
    mend = "have both clocks set by NTP (timedatectl status)"
    return warning(what, f"the service is {abs(ahead):.0f} s {direction} this machine", mend)


def _push(visit: Visit, context: ssl.SSLContext | None, push: PushRequest, path: str | None = None) -> Reply:
    return ask(visit.address, context, visit.timeout, path=path, body=push.body, headers=push.headers)


def _judge_speed(reply: Reply) -> Finding:
    if reply.seconds <= QUICK_SECONDS:
        return ok("speed", f"answered in {reply.seconds:.2f} s")
    mend = "look at the disk of the journal, at DNS, and at what stands between; EMS gives up on slow answers"
    return wrong("speed", f"slow: answered only after {reply.seconds:.1f} s; expected {QUICK_SECONDS:g} s", mend)


def _list_versions(visit: Visit, login: Login, password: str, context: ssl.SSLContext | None) -> Finding:
    """Say which other versions of the API are taken at this address. None of them has to be."""
    taken: list[str] = []
    refused: list[str] = []
    base = visit.address.path.partition("?")[0].rpartition("/")[0]
    for version in (Version.SOAP_NO_HEADERS, Version.FORM_POST, Version.XML_PUSH):
        push = request_of(made_up_notification(login.account), login, password, version)
        try:
            reply = _push(visit, context, push, base + XML_PUSH_PATH if version is Version.XML_PUSH else None)
        except NoAnswerError:
            refused.append(version.value)
        else:
            (taken if reply.status == 200 else refused).append(version.value)
    told = [("also taken", taken), ("not taken", refused)]
    return ok("versions", "; ".join(f"{what}: {' | '.join(names)}" for what, names in told if names))


def _mend(reply: Reply) -> str:
    """Return how to mend that a push was answered like this."""
    code, text = fault_in(reply) or ("", "")
    if text == _REFUSAL:
        return "compare user name, password and account with the settings of the service; reload it after a change"
    if "address" in text:
        return "server.allow_from must name the addresses of EMS, and server.trusted_proxies the proxy"
    if code == "Server":
        return "start the service, and see its log: it could not store, or the proxy does not reach it"
    return _NO_SERVICE


def _judge_journal(url: str, notification: MessageReceived) -> Finding:
    what = "journal"
    try:
        record = peek(url, notification.key)
    except (JournalUnavailableError, ImportError) as error:
        return skipped(what, str(error), "run doctor where the journal of the service can be read")
    if record is None:
        mend = "run doctor with the configuration of the service that is behind the address, on its machine"
        return warning(what, "the journal of this configuration does not hold the test", mend)
    if record.source is not Source.TEST:
        return wrong(what, "holds the test as a notification like any other", "update the service")
    return ok(what, "holds the test, marked as one; no handler is given it")
