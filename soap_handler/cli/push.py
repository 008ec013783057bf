"""``push``: sends one notification to an Account Event Handler as EMS would, by ``ems.caller``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from soap_handler.cli.configuration import PUSH_PASSWORD
from soap_handler.cli.options import Api, Config, Timeout  # noqa: TC001 - typer reads them
from soap_handler.contract import Version
from soap_handler.notifications import Kind  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from soap_handler.ems import EmsAccount
    from soap_handler.notifications import Notification

Value = Annotated[str | None, typer.Option(show_default=False)]
Moment = Annotated[str | None, typer.Option(metavar="ISO-TIME", help="Without an offset: UTC. Otherwise now.")]


def push(
    kind: Annotated[Kind, typer.Argument(help="The operation to call.")],
    *,
    config: Config = None,
    url: Annotated[str | None, typer.Option(help="Address of the Account Event Handler.")] = None,
    username: Annotated[str | None, typer.Option(help="User name to present.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar=PUSH_PASSWORD, help="Password to present; asked for when it is not given.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Account to push for.")] = None,
    api: Api = Version.SOAP,
    timeout: Timeout = 10.0,
    id: Annotated[str | None, typer.Option(help="Message id; otherwise a random GUID.")] = None,  # noqa: A002 - EMS calls it so
    originator: Value = None,
    recipient: Value = None,
    body: Value = None,
    type: Value = None,  # noqa: A002 - EMS calls it so
    sent_at: Moment = None,
    received_at: Moment = None,
    event_type: Value = None,
    error_type: Value = None,
    occurred_at: Moment = None,
    detail: Value = None,
    failure_code: Annotated[int | None, typer.Option(min=-(2**31), max=2**31 - 1, show_default=False)] = None,
    failure_description: Value = None,
    permanent_failure: Annotated[bool | None, typer.Option(show_default=False)] = None,
    mobile_number: Value = None,
    contact_id: Value = None,
    event_code: Value = None,
) -> None:
    """Send one notification to a URL as EMS would. Ends with 0 only at HTTP 200 (in SOAP, with the empty response).

    With --config the address, the account and its credentials come from there, as far as they are not given.
    """
    from soap_handler.cli.push_target import made_up, target  # noqa: PLC0415 - heavy; other commands need not load it

    given = {
        "id": id,
        "originator": originator,
        "recipient": recipient,
        "body": body,
        "type": type,
        "sent_at": sent_at,
        "received_at": received_at,
        "event_type": event_type,
        "error_type": error_type,
        "occurred_at": occurred_at,
        "detail": detail,
        "failure_code": failure_code,
        "failure_description": failure_description,
        "permanent_failure": permanent_failure,
        "mobile_number": mobile_number,
        "contact_id": contact_id,
        "event_code": event_code,
    }
    where = target(config, api, url=url, account=account, username=username, password=password)
    notification = made_up(
        kind, where.account.reference, {name: value for name, value in given.items() if value is not None}
    )
    _send(where.url, where.account, notification, timeout, api)


def _send(url: str, account: EmsAccount, notification: Notification, timeout: float, api: Version) -> None:
    from soap_handler.ems.caller import HandlerCaller  # noqa: PLC0415 - it loads zeep
    from soap_handler.ems.versions import PushError  # noqa: PLC0415 - with it

    try:
        with HandlerCaller(timeout, api) as caller:
            caller.call(url, account, notification)
    except PushError as error:
        typer.echo(f"soap-handler: not acknowledged by {url}: {error}", err=True)
        raise typer.Exit(1) from None
    response = "" if api in {Version.FORM_POST, Version.XML_PUSH} else f" with the empty {notification.kind}Response"
    typer.echo(f"acknowledged: HTTP 200{response}")
    typer.echo(f"key: {notification.key}")
