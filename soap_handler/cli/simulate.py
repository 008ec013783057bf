"""``simulate``: runs the simulated EMS alone, for any Account Event Handler, by ``simulate_run``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from soap_handler.cli.configuration import INBOX_PASSWORD, PUSH_PASSWORD
from soap_handler.cli.options import Api, CaBundle, Config, Json, Seed, finite
from soap_handler.contract import Version

HandlerUrl = Annotated[
    str | None,
    typer.Option(
        help="Address of the Account Event Handler; otherwise the configuration's; without both only the inbox runs."
    ),
]
Username = Annotated[
    str | None,
    typer.Option(
        help="User name to present to the handler; otherwise the configuration's, else ems.", show_default=False
    ),
]
PushPassword = Annotated[
    str | None,
    typer.Option(envvar=PUSH_PASSWORD, help="Password to present to the handler; otherwise the configuration's."),
]
AccountName = Annotated[
    str | None,
    typer.Option(
        help="Account, by any of its names; otherwise the configuration's first, else EX0012345.", show_default=False
    ),
]
InboxUsername = Annotated[
    str | None, typer.Option(help="User name that opens the inbox; otherwise the configuration's, else the handler's.")
]
InboxPassword = Annotated[
    str | None,
    typer.Option(
        envvar=INBOX_PASSWORD, help="Password that opens the inbox; otherwise the configuration's, else the handler's."
    ),
]
InboxPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port of the inbox; otherwise that of an inbox of the configuration that is local, else a free one.",
    ),
]
Rate = Annotated[float, typer.Option(min=0.001, max=1_000_000, callback=finite, help="Notifications in a second.")]


def _share(what: str) -> Any:  # noqa: ANN401 - typer has no type for it
    return typer.Option(min=0.0, max=1.0, callback=finite, help=what)


Duplicates = Annotated[float, _share("Share of the notifications that are pushed twice.")]
LostAnswers = Annotated[
    float, _share("Share of the notifications whose first answer is lost, so that they are pushed again.")
]
Late = Annotated[float, _share("Share of the notifications that are pushed late.")]
Reordered = Annotated[float, _share("Share of the notifications that overtake others.")]
Bursts = Annotated[float, _share("Share of the notifications that are held back and come in a burst.")]
UpperCaseIds = Annotated[float, _share("Share of the notifications whose id is in upper case.")]
InboxOutages = Annotated[float, _share("Share of the inbox calls that fail.")]


def simulate(
    *,
    config: Config = None,
    handler_url: HandlerUrl = None,
    username: Username = None,
    password: PushPassword = None,
    account: AccountName = None,
    inbox_username: InboxUsername = None,
    inbox_password: InboxPassword = None,
    inbox_port: InboxPort = None,
    api: Api = Version.SOAP,
    ca_bundle: CaBundle = None,
    messages: Annotated[
        int | None, typer.Option(min=0, max=100_000_000, help="Notifications to push; without it, until Ctrl-C.")
    ] = None,
    rate: Rate = 10.0,
    seed: Seed = 1,
    duplicates: Duplicates = 0.0,
    lost_answers: LostAnswers = 0.0,
    late: Late = 0.0,
    reordered: Reordered = 0.0,
    bursts: Bursts = 0.0,
    upper_case_ids: UpperCaseIds = 0.0,
    inbox_outages: InboxOutages = 0.0,
    as_json: Json = False,
) -> None:
    """Run an EMS on 127.0.0.1: an inbox, and pushes to a handler, disturbed to order.

    What is not given comes from the configuration, if there is one. Its service is pushed to only if its inbox is on
    this machine too: a real service is pushed to only by --handler-url.

    It is done when every notification is acknowledged and the inbox is empty, and ends then or at Ctrl-C. Ends with
    0 only if it was done.
    """
    from soap_handler.cli import display, simulate_run  # noqa: PLC0415 - they load spyne, zeep and rich
    from soap_handler.cli.simulate_target import Given, simulated  # noqa: PLC0415 - as above
    from soap_handler.ems import Disturbances  # noqa: PLC0415 - it loads spyne and zeep

    given = Given(account, username, password, inbox_username, inbox_password, inbox_port, handler_url)
    found = simulated(config, api, given)
    if found.note:
        typer.echo(found.note, err=True)
    counts = simulate_run.run(
        found.account,
        Disturbances(
            duplicates=duplicates,
            lost_answers=lost_answers,
            late=late,
            reordered=reordered,
            bursts=bursts,
            upper_case_ids=upper_case_ids,
            inbox_outages=inbox_outages,
        ),
        simulate_run.Order(found.handler_url, found.inbox_port, messages, rate, seed, api, ca_bundle),
    )
    if as_json:
        typer.echo(json.dumps(simulate_run.summary(counts)))
    else:
        display.print_table(simulate_run.table(counts))
    raise typer.Exit(1 if counts.waiting or counts.inbox or counts.given_up else 0)
