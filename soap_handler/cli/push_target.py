"""Target and content of ``push``: options and configuration become an address, a login and a notification."""

from __future__ import annotations

import dataclasses
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import typer

from soap_handler.accounts.passwords import is_hash
from soap_handler.cli import configuration
from soap_handler.contract import Version
from soap_handler.ems import EmsAccount
from soap_handler.faces.base import PATH
from soap_handler.faces.xml_push import PATH as XML_PUSH_PATH
from soap_handler.notifications import KINDS, from_dict
from soap_handler.settings import AccountSettings, account_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from soap_handler.notifications import Kind, Notification
    from soap_handler.settings import Settings

_TIMES: Final = frozenset({"sent_at", "received_at", "occurred_at"})
_FAILURE: Final = {  # option to attribute of FailureReason
    "failure_code": "code",
    "failure_description": "description",
    "permanent_failure": "permanent_failure",
}
_NUMBER: Final = "447700900123"  # from the range reserved for fiction
_DEFAULTS: Final = {
    "originator": _NUMBER,
    "recipient": "447700900000",
    "body": "Hello",
    "mobile_number": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class Target:
    """The address to push to and the account to push as."""

    url: str
    account: EmsAccount
    shown: str
    """The address without a secret that is in it."""
    settings: AccountSettings
    """The account as the configuration has it; of one that no configuration has, its name alone."""


def target(
    config: Path | None,
    api: Version,
    *,
    url: str | None,
    account: str | None,
    username: str | None,
    password: str | None,
) -> Target:
    """Return the target: what is given, completed from the configuration where there is one.

    An address from the configuration is the one of this version of the API.

    Raises:
        SettingsError: the configuration cannot be used.
        typer.BadParameter: something is in neither place.
    """
    settings = None if url and account and username and password else settings_of(config)
    known = configured(settings, account) if settings else None
    reference = _needed("--account", account or (known.reference if known else None))
    address = _needed("--url", web_address("--url", url) or (address_of(settings, api) if settings else None))
    login = login_of(known, username, password, api, address)
    presented = {
        "push_username": "" if login.by_address else _needed("--username", login.username),
        "push_password": "" if login.by_address else login.password or _asked(hashed=login.hashed),
    }
    # The inbox is not called.
    pushed = EmsAccount(reference=reference, username="", password="", **presented)
    return Target(login.address, pushed, login.shown, known or _unconfigured(reference))


def _unconfigured(reference: str) -> AccountSettings:
    """Return an account of which only the name is known. The rules of the configuration do not hold for the name."""
    return AccountSettings.model_construct(reference=reference, anonymous=True)


def web_address(option: str, url: str | None) -> str | None:
    """Return a URL that was given, if one was; it is not quoted, since it may hold a secret.

    Raises:
        typer.BadParameter: it cannot be called.
    """
    try:
        parts = urlsplit(url or "http://none")
        usable = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter(f"{option} is no address; expected one that starts with http:// or https://")
    return url


def settings_of(config: Path | None) -> Settings | None:
    """Return the settings; ``None`` where there is no configuration file.

    Raises:
        SettingsError: they cannot be used.
    """
    return None if configuration.find(config) is None else configuration.load(config)


def configured(settings: Settings, account: str | None) -> AccountSettings | None:
    """Return the account of any of its names; without one, the first."""
    return settings.account[0] if account is None else account_of(account, settings.account)


class Login(NamedTuple):
    """What to present, as far as it is known."""

    username: str | None
    password: str | None
    hashed: bool = False
    """Whether the configuration has the hash of the password alone."""
    address: str = ""
    """Where to push: the given address, with the secret of XML push in it where that is the login."""
    by_address: bool = False

    @property
    def shown(self) -> str:
        """The address without a secret."""
        front, found, _ = self.address.partition(f"{XML_PUSH_PATH}/") if self.by_address else (self.address, "", "")
        return f"{front}{found}***" if found else self.address


def login_of(
    known: AccountSettings | None,
    username: str | None,
    password: str | None,
    api: Version = Version.SOAP,
    address: str = "",
) -> Login:
    """Return what is given, completed from the account: by the pair of this user name, or by the first one.

    XML push may have a secret in the address in place of both: in the given one, or the first of an account that has
    no pair.
    """
    if api is Version.XML_PUSH and not (username or password):
        if f"{XML_PUSH_PATH}/" in urlsplit(address).path:
            return Login("", "", address=address, by_address=True)
        if known is not None and known.push_tokens and not known.push:
            return _by_token(known, address)
    return _pair_of(known, username, password)._replace(address=address)


def _by_token(known: AccountSettings, address: str) -> Login:
    tokens = [each.token.get_secret_value() for each in known.push_tokens]
    token = next((each for each in tokens if not is_hash(each)), None)
    if token is None:
        raise typer.BadParameter("the configuration has the hash of push_tokens alone; give --url with the token in it")
    return Login("", "", address=f"{address.rstrip('/')}/{token}", by_address=True)


def _pair_of(known: AccountSettings | None, username: str | None, password: str | None) -> Login:
    name, secret = known.pair(username) if known else (None, None)
    hashed = secret is not None and is_hash(secret)
    return Login(username or name, password or (None if hashed else secret), hashed)


def address_of(settings: Settings, api: Version, *, local: bool = False) -> str | None:
    """Return the address at which a service of these settings is called; ``local``: on this machine, past any proxy."""
    server = settings.server
    public = None if local else server.prefixed_url
    if public is None and server.port == 0:
        return None
    host = "127.0.0.1" if server.host in {"0.0.0.0", "::"} else server.host  # noqa: S104 - compared, not listened on
    host = f"[{host}]" if ":" in host else host
    base = public or f"http://{host}:{server.port}{server.path_prefix or ''}"
    return base + (XML_PUSH_PATH if api is Version.XML_PUSH else PATH)


def _needed(option: str, value: str | None) -> str:
    if not value:
        raise typer.BadParameter(f"{option} is missing; give it, or a configuration that says it")
    return value


def _asked(*, hashed: bool) -> str:
    if not sys.stdin.isatty():
        why = ": the configuration has its hash alone" if hashed else ""
        raise typer.BadParameter(f"--password is missing{why}; give it, or {configuration.PUSH_PASSWORD}")
    return str(typer.prompt("Password", hide_input=True, err=True))


def made_up(kind: Kind, account: str, given: Mapping[str, Any]) -> Notification:
    """Return a notification with the given values; missing ones get usual values.

    Raises:
        typer.BadParameter: a value does not belong to this kind, or is no time.
    """
    fields = {spec.name for spec in dataclasses.fields(KINDS[kind])}
    values = _with_failure(given)
    unfit = sorted(values.keys() - fields)
    if unfit:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in unfit)
        raise typer.BadParameter(f"{kind} does not carry {names}")
    for name in _TIMES & fields:
        values[name] = _moment(name, values.get(name))
    values = {**_DEFAULTS, "id": str(uuid.uuid4()), **values, "account": account}
    values["id"] = str(values["id"]).lower()  # as ids are held inside
    return from_dict(kind, {name: value for name, value in values.items() if name in fields})


def _with_failure(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the options that describe a failure gathered into ``failure_reason``."""
    failure = {name: given[option] for option, name in _FAILURE.items() if option in given}
    others = {name: value for name, value in given.items() if name not in _FAILURE}
    return {**others, "failure_reason": failure} if failure else others


def _moment(name: str, text: str | None) -> str:
    try:
        moment = datetime.fromisoformat(text) if text else datetime.now(UTC)
    except ValueError:
        option = name.replace("_", "-")
        raise typer.BadParameter(f"--{option} is {text!r}; expected a time such as 2026-03-02T08:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
