"""Account and addresses of ``simulate``: what is given, completed from the configuration, else usual values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import typer

from soap_handler.cli import configuration
from soap_handler.cli.push_target import address_of, configured, login_of, settings_of, web_address
from soap_handler.ems import EmsAccount

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.cli.simulate_options import Given
    from soap_handler.contract import Version
    from soap_handler.settings import InboxSettings, Settings

_ACCOUNT: Final = "EX0012345"
_USERNAME: Final = "ems"
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


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
    inbox = known.inbox if known else None
    address, note = _aim(settings, inbox, api, given)
    login = login_of(known, given.username, given.password, api, address or "")
    if not (login.password or login.by_address):
        why = ": the configuration has its hash alone" if login.hashed else ""
        raise typer.BadParameter(f"--password is missing{why}; give it, or {configuration.PUSH_PASSWORD}")
    username = login.username or ("" if login.by_address else _USERNAME)
    account = EmsAccount(
        reference=known.reference if known else given.account or _ACCOUNT,
        number=next((alias for alias in known.aliases if alias.isdecimal()), "") if known else "",
        username=given.inbox_username or (inbox.username if inbox else username or _USERNAME),
        password=given.inbox_password or (inbox.password.get_secret_value() if inbox else login.password or ""),
        push_username=username,
        push_password=login.password or "",
    )
    port = _port(inbox) if given.inbox_port is None else given.inbox_port
    if note is None and address and not given.handler_url:
        note = f"pushes to: {login.shown}"
    return Simulated(account, login.address if address else None, port, note)


def _aim(
    settings: Settings | None, inbox: InboxSettings | None, api: Version, given: Given
) -> tuple[str | None, str | None]:
    """Return the address of the handler, or why there is none: a real service must be asked for by name.

    A service that empties an inbox elsewhere would handle what is made up here as messages of people.
    """
    if given.handler_url or settings is None:
        return web_address("--handler-url", given.handler_url), None
    if inbox is not None and not _is_local(inbox):
        note = (
            f"no pushes: the configuration's inbox is at {urlsplit(inbox.url).hostname}, so its service is a real one; "
            "--handler-url pushes to it all the same"
        )
        return None, note
    return address_of(settings, api, local=True), None


def _is_local(inbox: InboxSettings) -> bool:
    return urlsplit(inbox.url).hostname in _LOCAL


def _port(inbox: InboxSettings | None) -> int:
    """Return the port at which a service of the configuration looks for an inbox on this machine; 0: any."""
    return (urlsplit(inbox.url).port or 0) if inbox is not None and _is_local(inbox) else 0
