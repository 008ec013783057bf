"""``push``: sends one notification to an Account Event Handler as EMS would, by ``ems.caller``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from soap_handler.cli.configuration import PUSH_PASSWORD
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


Id = Annotated[str | None, _value("Id of the message.", _RANDOM)]
Originator = Annotated[str | None, _value("Who sent the message.", "447700900123")]
Recipient = Annotated[str | None, _value("To whom it was sent.", "447700900000")]
Body = Annotated[str | None, _value("Its text.", "Hello")]
MessageType = Annotated[str | None, _value("Its type.", "Text")]
SentAt = Annotated[str | None, _moment("When it was sent")]
ReceivedAt = Annotated[str | None, _moment("When EMS received it")]
EventType = Annotated[str | None, _value("What happened to the message.", "Delivered")]
ErrorType = Annotated[str | None, _value("What failed.", "Failed")]
OccurredAt = Annotated[str | None, _moment("When it happened")]
Detail = Annotated[str | None, _value("Detail of the error.")]
FailureDescription = Annotated[str | None, _value("Text of the failure reason.")]
MobileNumber = Annotated[str | None, _value("Number of the subscriber.", "447700900123")]
ContactId = Annotated[str | None, _value("Id of the contact.")]
EventCode = Annotated[str | None, _value("What the subscriber did.", "Subscribe")]
FailureCode = Annotated[
    int | None,
    typer.Option(min=-(2**31), max=2**31 - 1, metavar="N", help="Code of the failure reason.", show_default=_ABSENT),
]
PermanentFailure = Annotated[bool | None, typer.Option(help="Whether the failure is for good.", show_default=_ABSENT)]


Url = Annotated[str | None, typer.Option(help="Address of the Account Event Handler; otherwise the configuration's.")]
Username = Annotated[str | None, typer.Option(help="User name to present; otherwise the configuration's first.")]
Password = Annotated[
    str | None,
    typer.Option(
        envvar=PUSH_PASSWORD, help="Password to present; otherwise the configuration's, else it is asked for."
    ),
]
Account = Annotated[str | None, typer.Option(help="Account to push for; otherwise the configuration's first.")]


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
    id: Id = None,  # noqa: A002 - EMS calls it so
    originator: Originator = None,
    recipient: Recipient = None,
    body: Body = None,
    type: MessageType = None,  # noqa: A002 - EMS calls it so
    sent_at: SentAt = None,
    received_at: ReceivedAt = None,
    event_type: EventType = None,
    error_type: ErrorType = None,
    occurred_at: OccurredAt = None,
    detail: Detail = None,
    failure_code: FailureCode = None,
    failure_description: FailureDescription = None,
    permanent_failure: PermanentFailure = None,
    mobile_number: MobileNumber = None,
    contact_id: ContactId = None,
    event_code: EventCode = None,
) -> None:
    """Send one notification to a URL as EMS would. Ends with 0 only at HTTP 200 (in SOAP, with the empty response).

    What is not given comes from the configuration, if there is one: address, account and credentials; with --api xml,
    the first of push_tokens in the address, where the account has no user name. A value that the kind does not carry
    is refused.
    """
    from soap_handler.cli.push_target import made_up, target  # noqa: PLC0415 - heavy; other commands need not load it
    from soap_handler.ems.caller import HandlerCaller  # noqa: PLC0415 - it loads zeep

    given = {
        **_given(id=id, originator=originator, recipient=recipient, body=body, type=type, sent_at=sent_at),
        **_given(received_at=received_at, event_type=event_type, error_type=error_type, occurred_at=occurred_at),
        **_given(detail=detail, failure_code=failure_code, failure_description=failure_description),
        **_given(permanent_failure=permanent_failure, mobile_number=mobile_number, contact_id=contact_id),
        **_given(event_code=event_code),
    }
    where = target(config, api, url=url, account=account, username=username, password=password)
    notification = made_up(kind, where.account.reference, given)
    caller = HandlerCaller(timeout, api, ca_bundle)
    _send(caller, where, notification)
    response = "" if api in {Version.FORM_POST, Version.XML_PUSH} else f" with the empty {kind}Response"
    typer.echo(f"acknowledged: HTTP 200{response}")
    typer.echo(f"key: {notification.key}")


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _send(caller: HandlerCaller, where: Target, notification: Notification) -> None:
    from soap_handler.ems.versions import PushError  # noqa: PLC0415 - it loads zeep

    try:
        with caller:
            caller.call(where.url, where.account, notification)
    except PushError as error:
        hint = "; --ca-bundle FILE names a root to trust" if "unknown issuer" in str(error) else ""
        typer.echo(f"soap-handler: not acknowledged by {where.shown}: {error}{hint}", err=True)
        raise typer.Exit(1) from None
