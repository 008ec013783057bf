"""Target and content of ``push``: options and configuration become an address, a login and a notification."""

from __future__ import annotations

import dataclasses
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from soap_handler.cli import configuration
from soap_handler.contract import Version
from soap_handler.ems import EmsAccount
from soap_handler.faces.base import PATH
from soap_handler.faces.xml_push import PATH as XML_PUSH_PATH
from soap_handler.notifications import KINDS, from_dict
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from soap_handler.notifications import Kind, Notification
    from soap_handler.settings import AccountSettings, Settings

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


def target(
    config: Path | None,
    api: Version,
    *,
    url: str | None,
    account: str | None,
    username: str | None,
    password: str | None,
) -> Target:
    """Return the target: what is given, completed from a configuration if one is given too.

    An address from the configuration is the one of this version of the API.

    Raises:
        SettingsError: the configuration cannot be used.
        typer.BadParameter: something is in neither place.
    """
    settings = configuration.load(config) if config else None
    known = _configured(settings, account) if settings else None
    pair = known.push[0] if known and known.push else None
    reference = _needed("--account", account or (known.reference if known else None))
    anonymous = known is not None and known.anonymous and not known.push
    name = username or (pair.username if pair else None) or ("anonymous" if anonymous else None)
    secret = password or (pair.password.get_secret_value() if pair else None) or ("anonymous" if anonymous else None)
    return Target(
        _needed("--url", url or (_address(settings, api) if settings else None)),
        EmsAccount(
            reference=reference,
            username="",
            password="",  # the inbox is not called
            push_username=_needed("--username", name),
            push_password=secret or _asked(),
        ),
    )


def _configured(settings: Settings, account: str | None) -> AccountSettings | None:
    if account is None:
        return settings.account[0]
    names = {name_key(name): each for each in settings.account for name in (each.reference, *each.aliases)}
    return names.get(name_key(account))


def _address(settings: Settings, api: Version) -> str | None:
    server = settings.server
    if server.public_url is None and server.port == 0:
        return None
    host = "127.0.0.1" if server.host in {"0.0.0.0", "::"} else server.host  # noqa: S104 - compared, not listened on
    base = server.prefixed_url or f"http://{host}:{server.port}{server.path_prefix or ''}"
    return base + (XML_PUSH_PATH if api is Version.XML_PUSH else PATH)


def _needed(option: str, value: str | None) -> str:
    if not value:
        raise typer.BadParameter(f"{option} is missing; give it, or a --config that says it")
    return value


def _asked() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"--password is missing; give it, or {configuration.PUSH_PASSWORD}, or a --config")
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
