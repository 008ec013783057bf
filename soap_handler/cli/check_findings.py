"""Checks of configuration, handler, journal and inbox: each yields a finding, and none stops the next."""

from __future__ import annotations

import contextlib
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from soap_handler.cli import configuration
from soap_handler.cli.hidden_modules import hiding
from soap_handler.diagnosis.finding import Finding, Verdict
from soap_handler.errors import InboxError, SettingsError, SoapHandlerError
from soap_handler.inbox import Inbox
from soap_handler.journal import Examination, examine
from soap_handler.journal.retention import FLOOR
from soap_handler.notifications import Kind
from soap_handler.settings import all_names, name_key
from soap_handler.sinks import registry, routes, target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.settings import AccountSettings, InboxSettings, Settings


def findings(config: Path | None, *, with_inbox: bool, with_sinks: bool = False) -> Iterator[Finding]:
    """Run every check and yield its finding; slow checks come last."""
    try:
        settings = configuration.load(config)
    except SettingsError as error:
        yield from (Finding(Verdict.WRONG, "configuration", problem) for problem in error.problems)
        yield Finding(Verdict.SKIPPED, "handler, journal, inbox", "not checked before the configuration is right")
        return
    yield Finding(Verdict.OK, "configuration", str(configuration.find(config) or "from the environment alone"))
    yield from _renames(settings)
    yield _public_url(settings)
    for account in settings.account:
        yield from _account(account)
    yield from _hidden_modules()
    yield from _tracing(settings)
    yield from _journal(settings)  # before the customer's module is loaded, which may change the working directory
    yield from _retention(settings)
    yield from _destinations(settings)
    if with_sinks:
        yield from _reached(settings)
    if with_inbox:
        for account in settings.account:
            if account.inbox is not None:
                yield _login(account.reference, account.inbox)


def _renames(settings: Settings) -> Iterator[Finding]:
    for rename in settings.renames:
        yield Finding(Verdict.WARNING, rename.old, f"is an old name; expected {rename.new}, which means the same")


def _public_url(settings: Settings) -> Finding:
    url = settings.server.public_url
    if url is None:
        return Finding(
            Verdict.WARNING,
            "server.public_url",
            "is missing; expected the https address at which EMS reaches us, for the WSDL",
        )
    if not url.lower().startswith("https:"):
        text = f"is {url!r}; expected https, since EMS asks for a certificate of a well-known root"
        return Finding(Verdict.WARNING, "server.public_url", text)
    return Finding(Verdict.OK, "server.public_url", url)


def _account(account: AccountSettings) -> Iterator[Finding]:
    what = f"account {account.reference}"
    if account.anonymous:
        text = "is anonymous: every caller that reaches this server may push to it; expected a username and password"
        yield Finding(Verdict.WARNING, what, text)
    if account.inbox is None:
        yield Finding(Verdict.WARNING, what, "has no inbox: handled messages stay in the EMS inbox")
    else:
        yield from _inbox(account.reference, account.inbox)
    if not account.anonymous and account.inbox is not None:
        yield Finding(Verdict.OK, what, "has credentials and an inbox")


def _destinations(settings: Settings) -> Iterator[Finding]:
    if not settings.route:
        yield _handler(settings)
        if settings.sink:
            text = "leads to no sink; expected [[route]] tables that name " + ", ".join(settings.sink)
            yield Finding(Verdict.WARNING, "route", text)
        return
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the customer's module may print while it is imported
            found = routes.destinations(settings)
    except SoapHandlerError as error:
        yield Finding(Verdict.WRONG, "route", _one_line(error))
        return
    for destination in found:
        destination.close()
    used = ", ".join(settings.destinations)
    yield Finding(Verdict.OK, "route", f"each kind of each account has a destination: {used}")
    for name, sink in settings.sink.items():
        if sink.type == "stdout":
            text = "is the standard output: a line in a pipe counts as delivered before it is on any disk"
            yield Finding(Verdict.WARNING, f"sink.{name}", text)
        if sink.format == "envelope":
            text = "writes requests as EMS sent them, and the journal keeps those for it: a push writes twice as much"
            yield Finding(Verdict.OK, f"sink.{name}", text)
        if name not in {route.sink for route in settings.route}:
            yield Finding(Verdict.WARNING, f"sink.{name}", "is used by no route")


def _reached(settings: Settings) -> Iterator[Finding]:
    for name, each in settings.sink.items():
        try:
            sink = registry.build(name, each)
        except SoapHandlerError as error:
            yield Finding(Verdict.WRONG, f"sink.{name}", _one_line(error))
            continue
        try:
            yield Finding(Verdict.OK, f"sink.{name}", sink.probe())
        except SoapHandlerError as error:
            yield Finding(Verdict.WRONG, f"sink.{name}", _one_line(error))
        finally:
            sink.close()


def _inbox(reference: str, inbox: InboxSettings) -> Iterator[Finding]:
    if not inbox.url.lower().startswith("https:"):
        text = f"is {inbox.url!r}: the password goes over the network in the clear; expected https"
        yield Finding(Verdict.WARNING, f"inbox.url of {reference}", text)
    if inbox.ca_bundle is None:
        return
    folder = inbox.ca_bundle.is_dir()
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(**{"capath" if folder else "cafile": str(inbox.ca_bundle)})
    except OSError as error:
        text = f"{inbox.ca_bundle} holds no certificates that can be read ({error.strerror}); expected PEM"
        yield Finding(Verdict.WRONG, f"inbox.ca_bundle of {reference}", text)


def _handler(settings: Settings) -> Finding:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the customer's module may print while it is imported
            target.load(settings)
    except SoapHandlerError as error:
        return Finding(Verdict.WRONG, "handler", _one_line(error))
    if settings.handler.target is None:
        return Finding(Verdict.WARNING, "handler", "none is set: notifications go to the standard output and are done")
    ignored = settings.handler.ignore
    text = f"{settings.handler.target} is loaded" + (f"; ignored on purpose: {', '.join(ignored)}" if ignored else "")
    inboxes = [account.reference for account in settings.account if account.inbox is not None]
    if Kind.MESSAGE_RECEIVED in ignored and inboxes:
        text = f"{text}; so messages stay in the inbox of {', '.join(inboxes)}"
        return Finding(Verdict.WARNING, "handler", text)
    return Finding(Verdict.OK, "handler", text)


def _journal(settings: Settings) -> Iterator[Finding]:
    """Try out that the journal can be written, or made where there is none; nothing of it stays."""
    what, where = "journal", settings.journal.masked_url
    try:
        found = examine(settings.journal.url.get_secret_value())
    except (SoapHandlerError, ImportError, SQLAlchemyError) as error:  # the last two: no such driver of a database
        yield Finding(Verdict.WRONG, what, f"{where}: {_one_line(error)}")
        return
    if found.is_current:
        text = f"{where} can be written as {found.user}; notifications in it: {sum(found.accounts.values())}"
        yield Finding(Verdict.OK, what, text)
        yield from _unclaimed(settings, found)
    elif found.lost_log:
        text = (
            f"{where} is a file without any table: a journal's main file that was copied without its -wal, or a first "
            "start that broke off; serve would begin an empty journal in it"
        )
        yield Finding(Verdict.WARNING, what, text)
    elif found.revision is None:
        yield Finding(Verdict.OK, what, f"{where} is not there yet; serve makes it, and can, as {found.user}")
    else:
        text = f"{where} is of revision {found.revision}; serve or migrate brings it up to date, as {found.user}"
        yield Finding(Verdict.WARNING, what, text)


def _unclaimed(settings: Settings, found: Examination) -> Iterator[Finding]:
    """Warn of notifications of a name that no account bears: another push of them would count as new."""
    claimed = set(map(name_key, all_names(settings.account)))
    for name, count in found.accounts.items():
        if name_key(name) not in claimed:
            text = f"lack {name!r}, the account of {count} notifications; expected it with the account that had it"
            yield Finding(Verdict.WARNING, "account.aliases", text)


def _tracing(settings: Settings) -> Iterator[Finding]:
    """Make what exports traces, where they are on; nothing is sent."""
    if not settings.tracing.enabled:
        return
    from soap_handler.app import tracing  # noqa: PLC0415 - it loads everything; other commands need not

    try:
        tracing(settings)
    except SoapHandlerError as error:
        yield Finding(Verdict.WRONG, "tracing", _one_line(error))
    else:
        yield Finding(Verdict.OK, "tracing", "spans go where the OTEL_* environment variables say")


def _hidden_modules() -> Iterator[Finding]:
    """Say which modules of the working directory, where handlers are looked for, hide a library's."""
    try:
        found = hiding(Path.cwd())
    except OSError:  # it is gone or cannot be read: nothing is imported from it either
        return
    for path, is_needed in found:
        text = f"{path} hides the library of this name, for the service too; expected another name"
        yield Finding(Verdict.WRONG if is_needed else Verdict.WARNING, f"module {path.stem}", text)


def _retention(settings: Settings) -> Iterator[Finding]:
    days, least = settings.journal.retention, FLOOR / timedelta(days=1)
    if 0 < days < least:
        text = f"is {days:g} days; expected at least {least:g}: EMS pushes for 72 hours, so all is kept for that long"
        yield Finding(Verdict.WARNING, "journal.retention", text)


def _login(reference: str, settings: InboxSettings) -> Finding:
    what = f"inbox of {reference}"
    inbox = Inbox(reference, settings)
    try:
        inbox.check_login()
    except InboxError as error:
        return Finding(Verdict.WRONG, what, f"{_one_line(error)}; expected an answer from {settings.url}")
    finally:
        inbox.close()
    return Finding(Verdict.OK, what, f"{settings.url} lets us in")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
