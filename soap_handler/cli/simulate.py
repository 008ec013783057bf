"""``simulate``: runs the simulated EMS alone, for any Account Event Handler, by ``simulate_run``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler.cli.configuration import INBOX_PASSWORD, PUSH_PASSWORD
from soap_handler.cli.options import Api, Json, Seed, finite
from soap_handler.contract import Version

HandlerUrl = Annotated[
    str | None, typer.Option(help="Address of the Account Event Handler; without it only the inbox runs.")
]
PushPassword = Annotated[str | None, typer.Option(envvar=PUSH_PASSWORD, help="Password to present to the handler.")]
InboxUsername = Annotated[str | None, typer.Option(help="User name that opens the inbox; otherwise the handler's.")]
InboxPassword = Annotated[
    str | None, typer.Option(envvar=INBOX_PASSWORD, help="Password that opens the inbox; otherwise the handler's.")
]
Rate = Annotated[float, typer.Option(min=0.001, max=1_000_000, callback=finite, help="Notifications in a second.")]
Share = Annotated[
    float, typer.Option(min=0.0, max=1.0, callback=finite, help="Share of the notifications, between 0 and 1.")
]


def simulate(
    *,
    handler_url: HandlerUrl = None,
    username: Annotated[str, typer.Option(help="User name to present to the handler.")] = "ems",
    password: PushPassword = None,
    account: Annotated[str, typer.Option(help="Reference of the account.")] = "EX0012345",
    inbox_username: InboxUsername = None,
    inbox_password: InboxPassword = None,
    inbox_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the inbox; 0 takes a free one.")] = 0,
    api: Api = Version.SOAP,
    messages: Annotated[
        int | None, typer.Option(min=0, max=100_000_000, help="Notifications to push; without it, until Ctrl-C.")
    ] = None,
    rate: Rate = 10.0,
    seed: Seed = 1,
    duplicates: Share = 0.0,
    lost_answers: Share = 0.0,
    late: Share = 0.0,
    reordered: Share = 0.0,
    bursts: Share = 0.0,
    upper_case_ids: Share = 0.0,
    inbox_outages: Annotated[
        float, typer.Option(min=0.0, max=1.0, callback=finite, help="Share of the inbox calls.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Run an EMS on 127.0.0.1: an inbox, and pushes to a handler, disturbed to order.

    It is done when every notification is acknowledged and the inbox is empty, and ends then or at Ctrl-C. Ends with
    0 only if it was done.
    """
    from soap_handler.cli import display, simulate_run  # noqa: PLC0415 - they load spyne, zeep and rich
    from soap_handler.ems import Disturbances, EmsAccount  # noqa: PLC0415 - it loads spyne and zeep

    if not password:
        raise typer.BadParameter(f"--password is missing; give it, or {PUSH_PASSWORD}")
    counts = simulate_run.run(
        EmsAccount(
            reference=account,
            username=inbox_username or username,
            password=inbox_password or password,
            push_username=username,
            push_password=password,
        ),
        Disturbances(
            duplicates=duplicates,
            lost_answers=lost_answers,
            late=late,
            reordered=reordered,
            bursts=bursts,
            upper_case_ids=upper_case_ids,
            inbox_outages=inbox_outages,
        ),
        simulate_run.Order(handler_url, inbox_port, messages, rate, seed, api),
    )
    if as_json:
        typer.echo(json.dumps(simulate_run.summary(counts)))
    else:
        display.print_table(simulate_run.table(counts))
    raise typer.Exit(1 if counts.waiting or counts.inbox or counts.given_up else 0)
