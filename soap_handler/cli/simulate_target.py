"""Account and addresses of ``simulate``: what is given, completed from the configuration, else usual values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import typer

from soap_handler.cli import configuration
from soap_handler.cli.push_target import address_of, configured, login_of, settings_of
from soap_handler.ems import EmsAccount

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.contract import Version
    from soap_handler.settings import InboxSettings, Settings

_ACCOUNT: Final = "EX0012345"
_USERNAME: Final = "ems"
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Given:
    """The options that a configuration may complete."""

    account: str | None
    username: str | None
    password: str | None
    inbox_username: str | None
    inbox_password: str | None
    inbox_port: int | None
    handler_url: str | None


@dataclass(frozen=True, slots=True)
class Simulated:
    """The EMS to simulate."""

    account: EmsAccount
    handler_url: str | None
    inbox_port: int
    note: str | None = None
    """What to say about the handler's address."""


def simulated(config: Path | None, api: Version, given: Given) -> Simulated:
    """Return the EMS to simulate.

    Raises:
        SettingsError: the configuration cannot be used.
        typer.BadParameter: there is no password.
    """
    settings = settings_of(config)
    known = configured(settings, given.account) if settings else None
    login = login_of(known, given.username, given.password)
    if not login.password:
        why = ": the configuration has its hash alone" if login.hashed else ""
        raise typer.BadParameter(f"--password is missing{why}; give it, or {configuration.PUSH_PASSWORD}")
    inbox = known.inbox if known else None
    username = login.username or _USERNAME
    account = EmsAccount(
        reference=known.reference if known else given.account or _ACCOUNT,
        number=next((alias for alias in known.aliases if alias.isdecimal()), "") if known else "",
        username=given.inbox_username or (inbox.username if inbox else username),
        password=given.inbox_password or (inbox.password.get_secret_value() if inbox else login.password),
        push_username=username,
        push_password=login.password,
    )
    port = _port(inbox) if given.inbox_port is None else given.inbox_port
    if given.handler_url or settings is None:
        return Simulated(account, given.handler_url, port)
    return _aimed(settings, inbox, api, Simulated(account, None, port))


def _aimed(settings: Settings, inbox: InboxSettings | None, api: Version, found: Simulated) -> Simulated:
    """Complete the address of the handler, unless the service is a real one: it must be asked for by name.

    A service that empties an inbox elsewhere would handle what is made up here as messages of people.
    """
    if inbox is not None and not _is_local(inbox):
        note = (
            f"no pushes: the configuration's inbox is at {urlsplit(inbox.url).hostname}, so its service is a real one; "
            "--handler-url pushes to it all the same"
        )
        return Simulated(found.account, None, found.inbox_port, note)
    url = address_of(settings, api, local=True)
    return Simulated(found.account, url, found.inbox_port, f"pushes to: {url}" if url else None)


def _is_local(inbox: InboxSettings) -> bool:
    return urlsplit(inbox.url).hostname in _LOCAL


def _port(inbox: InboxSettings | None) -> int:
    """Return the port at which a service of the configuration looks for an inbox on this machine; 0: any."""
    return (urlsplit(inbox.url).port or 0) if inbox is not None and _is_local(inbox) else 0
