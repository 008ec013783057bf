"""``push``: sends one notification to an Account Event Handler as EMS would, by ``ems.caller``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soap_handler.cli.columns import printable
from soap_handler.cli.configuration import PUSH_PASSWORD
from soap_handler.cli.option_groups import grouped
from soap_handler.cli.options import Api, CaBundle, Config, Timeout  # noqa: TC001 - typer reads them
from soap_handler.contract import Version
from soap_handler.notifications import Kind  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from soap_handler.cli.push_target import Target
    from soap_handler.ems.caller import HandlerCaller
    from soap_handler.notifications import Notification

_RANDOM = "a random GUID"
_NOW = "now"
_ABSENT = "not sent"


def _value(what: str, default: str = _ABSENT) -> Any:  # noqa: ANN401 - typer has no type for it
    return typer.Option(help=what, show_default=default)


def _moment(what: str) -> Any:  # noqa: ANN401 - as above
    return typer.Option(metavar="TIME", help=f"{what}, in ISO 8601; without an offset: UTC.", show_default=_NOW)


Url = Annotated[str | None, typer.Option(help="Address of the Account Event Handler; otherwise the configuration's.")]
Username = Annotated[str | None, typer.Option(help="User name to present; otherwise the configuration's first.")]
Password = Annotated[
    str | None,
    typer.Option(
        envvar=PUSH_PASSWORD, help="Password to present; otherwise the configuration's, else it is asked for."
    ),
]
Account = Annotated[str | None, typer.Option(help="Account to push for; otherwise the configuration's first.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the notification says. What is not given gets a usual value."""

    id: Annotated[str | None, _value("Id of the message.", _RANDOM)] = None
    originator: Annotated[str | None, _value("Who sent the message.", "447700900123")] = None
    recipient: Annotated[str | None, _value("To whom it was sent.", "447700900000")] = None
    body: Annotated[str | None, _value("Its text.", "Hello")] = None
    type: Annotated[str | None, _value("Its type.", "Text")] = None
    sent_at: Annotated[str | None, _moment("When it was sent")] = None
    received_at: Annotated[str | None, _moment("When EMS received it")] = None
    event_type: Annotated[str | None, _value("What happened to the message.", "Delivered")] = None
    error_type: Annotated[str | None, _value("What failed.", "Failed")] = None
    occurred_at: Annotated[str | None, _moment("When it happened")] = None
    detail: Annotated[str | None, _value("Detail of the error.")] = None
    failure_code: Annotated[
        int | None,
        typer.Option(
            min=-(2**31), max=2**31 - 1, metavar="N", help="Code of the failure reason.", show_default=_ABSENT
        ),
    ] = None
    failure_description: Annotated[str | None, _value("Text of the failure reason.")] = None
    permanent_failure: Annotated[
        bool | None, typer.Option(help="Whether the failure is for good.", show_default=_ABSENT)
    ] = None
    mobile_number: Annotated[str | None, _value("Number of the subscriber.", "447700900123")] = None
    contact_id: Annotated[str | None, _value("Id of the contact.")] = None
    event_code: Annotated[str | None, _value("What the subscriber did.", "Subscribe")] = None


@grouped()
def push(
    kind: Annotated[Kind, typer.Argument(help="The operation to call.")],
    *,
    config: Config = None,
    url: Url = None,
    username: Username = None,
    password: Password = None,
    account: Account = None,
    api: Api = Version.SOAP,
    ca_bundle: CaBundle = None,
    timeout: Timeout = 10.0,
    content: Content,
) -> None:
    """Send one notification to a URL as EMS would. Ends with 0 only at HTTP 200 (in SOAP, with the empty response).

    What is not given comes from the configuration, if there is one: address, account and credentials; with --api xml,
    the first of push_tokens in the address, where the account has no user name. A value that the kind does not carry
    is refused.
    """
    from soap_handler.cli.push_target import made_up, target  # noqa: PLC0415 - heavy; other commands need not load it
    from soap_handler.diagnosis.rehearsal import key_of  # noqa: PLC0415 - it loads the service
    from soap_handler.ems.caller import WRITERS, HandlerCaller  # noqa: PLC0415 - it loads zeep

    given = {name: value for name, value in asdict(content).items() if value is not None}
    where = target(config, api, url=url, account=account, username=username, password=password)
    notification = made_up(kind, where.account.reference, given)
    _send(HandlerCaller(timeout, api, ca_bundle), where, notification)
    response = "" if api in {Version.FORM_POST, Version.XML_PUSH} else f" with the empty {kind}Response"
    typer.echo(f"acknowledged: HTTP 200{response}")
    stored_as = key_of(WRITERS[api]().request(where.account, notification), api, where.settings)
    typer.echo(f"key: {stored_as or notification.key}")


def _send(caller: HandlerCaller, where: Target, notification: Notification) -> None:
    from soap_handler.ems.versions import PushError  # noqa: PLC0415 - it loads zeep

    try:
        with caller:
            caller.call(where.url, where.account, notification)
    except PushError as error:
        hint = "; --ca-bundle FILE names a root to trust" if "unknown issuer" in str(error) else ""
        typer.echo(f"soap-handler: not acknowledged by {where.shown}: {printable(str(error))}{hint}", err=True)
        raise typer.Exit(1) from None
