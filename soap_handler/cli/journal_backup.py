"""``journal backup`` and ``journal restore``: copies of the journal, by ``journal.backup`` and ``journal.restore``."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from soap_handler.cli import configuration
from soap_handler.cli.options import Config, Json, Yes  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from soap_handler.journal.backups.backup import Backup
    from soap_handler.journal.backups.restore import Restored


def add_to(commands: typer.Typer) -> None:
    """Make these commands of the group ``journal``."""
    commands.command()(backup)
    commands.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; it is there whole, or not at all.")],
    *,
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Take the place of a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Copy the journal into one file, while the service runs, and verify the copy.

    The copy is a consistent snapshot, readable by you alone. For a journal on PostgreSQL it prints the command of
    pg_dump to run, and ends with 1, since there is no copy yet.
    """
    from soap_handler.cli import display  # noqa: PLC0415 - it loads rich
    from soap_handler.journal.backups import pg_tools  # noqa: PLC0415 - it loads SQLAlchemy
    from soap_handler.journal.backups.backup import back_up  # noqa: PLC0415 - it loads SQLAlchemy

    url = configuration.load(config).journal.url.get_secret_value()
    if not url.startswith("sqlite"):
        _leave_to_postgresql(pg_tools.dump_command(url, file), "backs up while the service runs")
    with display.progress() as bar:
        made = back_up(url, file, lambda left, total: bar({"pages": (total - left, total)}), force=force)
    if as_json:
        typer.echo(json.dumps(_summary(made)))
        return
    typer.echo(f"{made.file} holds {_held(made)}; it is verified and on disk ({made.size / 2**20:.1f} MiB).")
    typer.echo(f"To put it back: stop the service, then soap-handler journal restore {made.file}")


def restore(
    file: Annotated[Path, typer.Argument(help="The copy that journal backup made; it stays as it is.")],
    *,
    config: Config = None,
    without_log: Annotated[
        bool, typer.Option("--without-log", help="Take a main file although its -wal is not beside it.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a copy in the place of the journal, while no service runs. The journal that is there is kept beside it.

    It says what follows: what has to be handled once more, and what only the EMS inbox still has. For a journal on
    PostgreSQL it prints the command of pg_restore to run, and ends with 1.
    """
    from soap_handler.journal.backups import pg_tools  # noqa: PLC0415 - it loads SQLAlchemy
    from soap_handler.journal.backups import restore as restoring  # noqa: PLC0415 - it loads SQLAlchemy
    from soap_handler.journal.backups.backup import journal_file  # noqa: PLC0415 - it loads SQLAlchemy

    url = configuration.load(config).journal.url.get_secret_value()
    if not url.startswith("sqlite"):
        _leave_to_postgresql(pg_tools.restore_command(url, file), "restores; stop the service on every host first")
    if not yes and journal_file(url).exists():
        typer.confirm(f"{file} would take the place of {journal_file(url)}, which is kept. Go on?", abort=True)
    done = restoring.restore(url, file, without_log=without_log)
    if as_json:
        kept = str(done.kept) if done.kept else None
        found = {**_summary(done.backup), "kept": kept, "missing": done.missing, "handled_again": done.again}
        found["erasures_lost"] = done.erasures
        typer.echo(json.dumps(found))
        return
    for line in _consequences(done):
        typer.echo(line)


def _leave_to_postgresql(command: str, what: str) -> NoReturn:
    typer.echo(f"soap-handler: the journal is on PostgreSQL: this command {what}, and asks for the password", err=True)
    typer.echo(command)
    raise typer.Exit(1)


def _summary(made: Backup) -> dict[str, object]:
    return {
        "file": str(made.file),
        "bytes": made.size,
        "revision": made.revision,
        "notifications": made.notifications,
        "states": made.states,
        "latest": _latest(made),
    }


def _latest(made: Backup) -> str | None:
    from soap_handler.cli.journal_view import instant  # noqa: PLC0415 - it loads SQLAlchemy and rich
    from soap_handler.journal.execute import from_number  # noqa: PLC0415 - it loads SQLAlchemy

    return instant(from_number(made.latest))


def _held(made: Backup) -> str:
    states = ", ".join(f"{count} {state}" for state, count in made.states.items())
    return f"{made.notifications} notifications" + (f" ({states}), the latest of {_latest(made)}" if states else "")


def _consequences(done: Restored) -> list[str]:
    """Return what was done, and what follows for the inbox and for what was handled since."""
    lines = [f"The journal holds {_held(done.backup)} again."]
    if done.kept is not None:
        lines.append(f"The one that was there is {done.kept}")
    missing = "What came after the copy" if done.missing is None else f"{done.missing} notifications that came later"
    again = "What was handled since" if done.again is None else f"{done.again} notifications that were handled since"
    if done.missing != 0:
        lines.append(
            f"{missing}: received messages that are still in the EMS inbox are found again by soap-handler reconcile, "
            "or by the service; those that have left it, and events, are not in this journal."
        )
    if done.again != 0:
        lines.append(f"{again}: they are handled once more; their key is the same, and tells your code.")
    if done.erasures != 0:
        erasures = "Erasures since the copy" if done.erasures is None else f"{done.erasures} erasures since the copy"
        lines.append(f"{erasures}: what they removed may be in this journal again. Repeat them before you start.")
    lines.append("Start the service now; it brings the tables up to date if need be.")
    return lines
