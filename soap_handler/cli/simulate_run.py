"""Simulation run: the simulated EMS pushes until it is done or a signal ends it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import typer

from soap_handler.cli.columns import printable
from soap_handler.cli.display import Table
from soap_handler.cli.stop_signals import stop_signals
from soap_handler.contract import Version
from soap_handler.ems import PushSettings, SimulatedEms, believable_notifications

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from soap_handler.ems import Counts, Disturbances, EmsAccount

_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What to push, where to, and how fast."""

    handler_url: str | None
    inbox_port: int
    messages: int | None
    """Number of notifications; ``None``: until a signal comes."""
    rate: float
    """Notifications in a second."""
    seed: int
    api: Version = Version.SOAP
    ca_bundle: Path | None = None


def run(account: EmsAccount, disturbances: Disturbances, plan: SimulationPlan) -> Counts:
    """Push as planned; return the counts of EMS when all is done or SIGINT or SIGTERM came."""
    ems = SimulatedEms(
        [account],
        plan.handler_url,
        disturbances=disturbances,
        seed=plan.seed,
        inbox_port=plan.inbox_port,
        api=plan.api,
        push_settings=PushSettings(ca_bundle=plan.ca_bundle),
    )
    with stop_signals() as stop, ems:
        typer.echo(f"inbox: {ems.inbox_url}\nWSDL:  {ems.inbox_url}?wsdl", err=True)
        _push(ems, account.reference, plan, stop)
        while not (stop.is_set() or _done(ems.counts())):
            stop.wait(_POLL_SECONDS)
        for why in sorted({each.last_failure for each in ems.waiting() if each.last_failure}):
            typer.echo(f"soap-handler: not acknowledged: {printable(why)}", err=True)
    return ems.counts()


def _push(ems: SimulatedEms, reference: str, plan: SimulationPlan, stop: threading.Event) -> None:
    for notification in islice(believable_notifications(reference, plan.seed), plan.messages):
        ems.push(notification)
        if stop.wait(1 / plan.rate):
            return


def _done(counts: Counts) -> bool:
    return not (counts.waiting or counts.inbox)


def summary(counts: Counts) -> dict[str, Any]:
    """Return the counts as plain values."""
    return dataclasses.asdict(counts)


def table(counts: Counts) -> Table:
    """Return the counts for people."""
    names = {name: name.replace("_", " ") for name in summary(counts)}
    return Table("What EMS counted", ("", "EMS"), [(names[name], value) for name, value in summary(counts).items()])
