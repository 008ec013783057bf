"""``python -m tests.bench.questions``: how long the command takes to answer a person on call, on many rows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tests.bench import long_journal
from tests.support.postgresql import PostgreSQL, running

if TYPE_CHECKING:
    from datetime import datetime

CONFIGURATION: Final = """
[journal]
url = "{url}"
[[account]]
reference = "{account}"
push = [{{ username = "ems", password = "s3cret" }}]
"""


def questions(sent_at: datetime) -> dict[str, list[str]]:
    """Return the four questions, each with the command that answers it."""
    minute = f"{sent_at:%Y-%m-%dT%H:%M}Z"
    return {
        "how many are waiting": ["status"],
        "how old is the oldest": ["status", "--json"],
        "what is dead and why": ["journal", "list", "--state", "dead"],
        "where is the message of a number at a time": [
            "journal", "list", "--number", f"+{long_journal.SOUGHT}", "--since", minute, "--until", minute,
        ],
        "where is anything of a number": ["journal", "list", "--number", f"+{long_journal.SOUGHT}"],
        "which key begins so": ["journal", "show", "EX0012345/MessageReceived/00000"],
        "what failed with an error": ["journal", "list", "--error", "no order 3"],
    }  # fmt: skip


def main(
    rows: Annotated[int, typer.Option(min=1000, help="Notifications in the journal.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Of each question; the first finds cold caches.")] = 5,
    *,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On PostgreSQL in place of SQLite.")] = False,
) -> None:
    """Fill a journal and ask it; print the seconds of each round, the start of the command among them.

    The CPU seconds are those of the command, on a busy machine a better measure; PostgreSQL's own are not in them.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if postgresql:
            url = stack.enter_context(running(PostgreSQL)).database()
        else:
            url = f"sqlite:///{folder / 'journal.db'}"
        typer.echo(f"filling a journal with {rows:,} rows")
        long_journal.make(url, rows)
        configuration = CONFIGURATION.format(url=url, account=long_journal.ACCOUNT)
        (folder / "soap-handler.toml").write_text(configuration)
        asked = {"only the start of the command": ["--version"], **questions(long_journal.time_of_sought(url))}
        for question, command in asked.items():
            before = _cpu_seconds()
            seconds = [_ask(folder, command) for _ in range(rounds)]
            cpu = (_cpu_seconds() - before) / rounds
            typer.echo(f"{question:45} {' '.join(f'{each:5.2f}' for each in seconds)}   CPU {cpu:.2f}")


def _cpu_seconds() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _ask(folder: Path, command: list[str]) -> float:
    began = time.perf_counter()
    run = [sys.executable, "-m", "soap_handler", *command]
    found = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode not in {0, 1, 2} or "cannot be" in found.stderr:
        raise RuntimeError(found.stderr)
    return time.perf_counter() - began


if __name__ == "__main__":
    typer.run(main)
