"""A visit to a service from outside: its address, the login that EMS would use, and how far to go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - the type of an attribute
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from soap_handler.accounts.passwords import is_hash
from soap_handler.faces.base import PATH
from soap_handler.settings import account_of

if TYPE_CHECKING:
    from soap_handler.settings import AccountSettings, Settings


@dataclass(frozen=True, slots=True)
class Address:
    """The URL that is registered with EMS, in its parts."""

    url: str
    is_https: bool
    host: str
    port: int
    path: str
    """With its query, if it has one."""


@dataclass(frozen=True, slots=True)
class Login:
    """What EMS would present."""

    account: str
    username: str
    password: str | None = field(repr=False)
    """``None`` where only its hash is known."""
    anonymous: bool = False
    """Whether the account takes any user name and password."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit."""

    address: Address
    login: Login | None
    ca_bundle: Path | None = None
    """Roots to trust beside the well-known ones."""
    timeout: float = 10.0
    """Seconds to wait for each connection, and for each part of an answer."""
    http_port: int = 80
    """Where plain HTTP would answer."""
    journal_url: str | None = field(default=None, repr=False)
    """The service's journal, if it can be read from here."""


def read_address(url: str) -> Address:
    """Return the parts of a URL. One without a path leads to the usual one.

    Raises:
        ValueError: it is no URL of a service.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no address such as https://sms.example.com{PATH}")
    is_https = parts.scheme.lower() == "https"
    path = parts.path if parts.path.strip("/") else PATH
    return Address(
        url=parts._replace(path=path, fragment="").geturl(),
        is_https=is_https,
        host=parts.hostname,
        port=parts.port or (443 if is_https else 80),
        path=path + (f"?{parts.query}" if parts.query else ""),
    )


def address_of(settings: Settings) -> Address:
    """Return the address at which the settings say that EMS reaches the service.

    Raises:
        ValueError: they do not say it.
    """
    address = settings.server.prefixed_url
    if address is None:
        raise ValueError("server.public_url is missing; set it, or give --url, the address that EMS is to call")
    return read_address(address + PATH)


def login_of(
    settings: Settings | None, account: str | None, username: str | None, password: str | None
) -> Login | None:
    """Return the login: what is given, completed from the settings; ``None`` where no account or user is known.

    Raises:
        ValueError: the settings have no such account.
    """
    known = _account(settings, account) if settings else None
    found, secret = known.pair(username) if known else (None, None)
    reference = account or (known.reference if known else None)
    name = username or found
    if reference is None or name is None:
        return None
    known_password = None if secret is None or is_hash(secret) else secret
    return Login(reference, name, password or known_password, anonymous=known is not None and known.anonymous)


def _account(settings: Settings, name: str | None) -> AccountSettings:
    if name is None:
        return settings.account[0]
    account = account_of(name, settings.account)
    if account is None:
        raise ValueError(f"account {name!r} is not in the settings")
    return account
