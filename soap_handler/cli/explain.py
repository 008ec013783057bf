"""``explain``: says what the service would do with a captured request. ``diagnosis.explain`` finds it out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from soap_handler import logs
from soap_handler.cli.options import Config, Json  # noqa: TC001 - typer reads them
from soap_handler.faces.base import PATH

if TYPE_CHECKING:
    from soap_handler.cli.display import Table
    from soap_handler.diagnosis.explain import Explanation


def explain(
    file: Annotated[str, typer.Argument(help="The request, with its HTTP head or without; - is standard input.")],
    *,
    config: Config = None,
    path: Annotated[str, typer.Option(help="Where it was sent to, if the file has no HTTP head.")] = PATH,
    caller: Annotated[
        str | None, typer.Option(help="Address that it came from; otherwise one that may call.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a captured request would be taken, as what, and what would be answered. Writes nothing.

    Ends with 0 if it would be taken, with 1 if it would be refused.
    """
    from soap_handler.cli import configuration, display  # noqa: PLC0415 - heavy; other commands need not load it
    from soap_handler.diagnosis.explain import explain as explained  # noqa: PLC0415 - it loads the whole service

    logs.configure("error", "text")  # a refusal is the result here, and no warning
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    found = explained(data, configuration.load(config), path=path, caller=caller)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        display.print_table(*_tables(found))
        typer.echo(f"\n{found.answer.body.decode('utf-8', 'replace')}")
    raise typer.Exit(0 if found.taken else 1)


def _tables(found: Explanation) -> list[Table]:
    """Return the explanation for people."""
    from soap_handler.cli.display import Table  # noqa: PLC0415 - it loads rich

    login = found.credentials
    called = f", called {login['account']}" if login else ""
    rows = [
        ("request", found.request),
        *(("note", note) for note in found.notes),
        ("read as", " ".join(filter(None, (found.face, found.operation)))),
        ("credentials", f"user name {login['username']}, password {login['password']}" if login else "none"),
        ("account", f"{found.account or 'none'}{called}"),
        ("refused by", found.refused_by),
        ("key", found.key),
        ("journal", found.journal),
        ("answer", f"{found.answer.status}, {found.answer.content_type}, as below"),
    ]
    title = "This request would be taken" if found.taken else "This request would be refused"
    tables = [Table(title, ("", ""), [row for row in rows if row[1]])]
    if found.taken:
        values = [(name, "" if value is None else value) for name, value in found.values.items()]
        tables.append(Table("What the handler would be given", ("attribute", "value"), values))
    if found.original:
        tables.append(Table("Texts that had to be guessed at", ("attribute", "text"), [*found.original.items()]))
    if found.repaired:
        tables.append(Table("What was repaired, and why", ("mark", "why"), [*found.repaired.items()]))
    return tables
