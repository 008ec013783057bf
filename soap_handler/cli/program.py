"""The list of commands, and the options of the program itself. Each command is in its own file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from soap_handler import logs
from soap_handler.cli import (
    check,
    demo,
    deploy,
    docs,
    doctor,
    erase,
    explain,
    hash_password,
    init,
    journal,
    journal_backup,
    migrate,
    push,
    reconcile,
    serve,
    simulate,
    sink,
)

program = typer.Typer(
    name="soap-handler",
    help="Receives what Esendex EMS pushes over SOAP, hands it to your code, and then empties the inbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # those show local variables, and so passwords
)
program.command()(demo.demo)
program.command()(serve.serve)
program.command()(init.init)
program.command()(check.check)
program.command()(doctor.doctor)
program.command()(explain.explain)
program.command()(push.push)
program.command()(simulate.simulate)
program.command()(hash_password.hash_password)
program.command()(reconcile.reconcile)
program.command()(erase.erase)
program.command()(migrate.migrate)
program.command()(docs.docs)
journal_backup.add_to(journal.commands)
program.add_typer(journal.commands)
program.add_typer(sink.commands)
program.add_typer(deploy.commands)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        try:
            typer.echo(f"soap-handler {version('soap-handler')}")
        except PackageNotFoundError:
            typer.echo("soap-handler, run from a source tree")
        raise typer.Exit


@program.callback()
def _first(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    logs.configure("warning", "text")  # to standard error; standard output is for results
