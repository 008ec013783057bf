"""The accounts with their inboxes, and the reconciliations of what is in them with what is in the journal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from flask import render_template, request

from soap_handler.console.pages.messages import ahead
from soap_handler.console.pages.site import ask, site
from soap_handler.console.parts import parts
from soap_handler.journal.inbox.gates import gates
from soap_handler.journal.inbox.reconciliations import latest_runs, runs
from soap_handler.settings import name_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from soap_handler.journal import InboxGate, Reconciliation
    from soap_handler.settings import AccountSettings

_RUNS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the settings, and what the journal knows of its inbox."""

    settings: AccountSettings
    gate: InboxGate | None
    last_run: Reconciliation | None
    open_in: int
    """How many workers have the circuit breaker of its inbox open."""


@site.get("/reconciliations")
def reconciliations() -> str:
    """Show the latest runs, of all accounts or of one."""
    account = request.args.get("account", "").strip() or None
    journal = parts().journal
    found = ask(partial(runs, account=account, limit=_RUNS_SHOWN))
    interval = parts().settings.reconcile.interval
    return render_template(
        "reconciliations.html", now=journal.now(), runs=found, account=account, most=_RUNS_SHOWN, interval=interval
    )


@site.get("/accounts")
def accounts() -> str:
    """Show each account: its names, how EMS proves itself, its inbox."""
    journal = parts().journal

    def read(connection: Connection) -> tuple[dict[str, InboxGate], dict[str, Reconciliation]]:
        closed = {name_key(gate.account): gate for gate in gates(connection) if gate.refusals}
        return closed, {name_key(run.account): run for run in latest_runs(connection)}

    closed, last = ask(read)
    circuits = parts().exposition.open_circuits()
    shown = [
        Account(
            each,
            closed.get(name_key(each.reference)),
            last.get(name_key(each.reference)),
            circuits.get(("inbox", each.reference), 0),
        )
        for each in parts().settings.account
    ]
    return render_template("accounts.html", now=journal.now(), ahead=ahead(journal), accounts=shown)
