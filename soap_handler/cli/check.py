"""``check``: prints everything that is wrong, at once. The checks themselves are in ``check_findings``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them


def check(
    *,
    config: Config = None,
    inbox: Annotated[
        bool, typer.Option("--inbox", help="Log in to the inbox of each account too, with a harmless call.")
    ] = False,
    sinks: Annotated[
        bool, typer.Option("--sinks", help="Reach out to each sink too, harmlessly: connect, log in, look.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the configuration, the handler and the journal. Ends with 1 if anything is wrong."""
    from soap_handler.cli import display  # noqa: PLC0415 - it loads rich
    from soap_handler.cli.check_findings import findings  # noqa: PLC0415 - it loads what it checks
    from soap_handler.diagnosis.finding import Verdict  # noqa: PLC0415 - needed only here

    found = []
    for finding in findings(config, with_inbox=inbox, with_sinks=sinks):
        found.append(finding)
        if not as_json:
            display.print_finding(finding)
    good = all(finding.verdict is not Verdict.WRONG for finding in found)
    if as_json:
        checks = [{"check": each.what, "result": each.verdict.value, "text": each.text} for each in found]
        typer.echo(json.dumps({"ok": good, "checks": checks}, indent=2))
    raise typer.Exit(0 if good else 1)
