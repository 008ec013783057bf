"""The list of commands, and the options of the program itself. Each command is in its own file."""

from __future__ import annotations

from typing import Annotated, Final

import typer
import typer.main

from soap_handler import logs
from soap_handler.cli import (
    check,
    demo,
    deploy,
    dev,
    docs,
    doctor,
    erase,
    explain,
    hash_password,
    help_text,
    init,
    journal,
    journal_backup,
    migrate,
    push,
    reconcile,
    serve,
    simulate,
    sink,
    status,
)
from soap_handler.cli.version import show_version

program = typer.Typer(
    name="soap-handler",
    cls=help_text.Group,
    help="Receives what Esendex EMS pushes, hands it to your code or systems, and then empties the inbox.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # those show local variables, and so passwords
)
program.command()(demo.demo)
program.command()(dev.dev)
program.command()(serve.serve)
program.command()(status.status)
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


help_text.adopt(program)


@program.callback()
def _first(
    *,
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=show_version, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    logs.configure("warning", "text")  # to standard error; standard output is for results


command: Final = typer.main.get_command(program)
"""The click command that typer builds from ``program``. ``program()`` would build it anew at each call."""
