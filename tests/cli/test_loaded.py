"""What a service loads: imports are nearly all of its start, and most of its memory."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.cli.conftest import ROOT, serve, write_configuration

if TYPE_CHECKING:
    from pathlib import Path

AT_A_CALL: Final = {"zeep", "requests", "urllib3", "charset_normalizer"}
"""Loaded when an inbox is called for the first time, in the thread that calls it."""

NEVER: Final = {
    "alembic",  # only tables of an earlier release need it
    "mako",  # Alembic's
    "sqlalchemy.orm",
    "sqlalchemy.ext",
    "psycopg",  # the journal is on SQLite
    "sqlalchemy.dialects.postgresql",  # likewise
    "rich.progress",  # commands show tables and bars; a service does not
    "rich.markdown",
    "typer.rich_utils",
    "spyne.server.wsgi",  # waitress calls our own application
    "spyne.server.django",
    "soap_handler.ems",  # the simulator
    "soap_handler.testing",
    "pytest",
    "soap_handler.cli.demo_report",
    "soap_handler.cli.demo_run",
    "soap_handler.cli.push_target",
    "multiprocessing",
    "unittest",
    "xmlrpc",
}
"""Not loaded by a service, however long it runs."""

NOT_BY_US: Final = {"rich", "pygments"}
"""Loaded by a service only if a handler wants it; structlog would load it for nothing."""

TELLING: Final = """
import atexit, pathlib, sys

atexit.register(lambda: pathlib.Path("loaded").write_text("\\n".join(sys.modules)))

def handle(notification):
    pass
"""


def loaded_by_a_service(folder: Path) -> set[str]:
    """Start the service, end it, and return all that it had loaded by then."""
    with serve(folder, executed=True) as running:
        assert running.end(signal.SIGTERM) == 0
    return set((folder / "loaded").read_text().split())


def test_the_service_imports_only_what_it_needs() -> None:
    """Whoever makes a heavy module part of every start finds out here, and may import it where it is used instead."""
    code = "import sys, soap_handler.cli.program, soap_handler.settings, soap_handler.app; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=30, check=True)
    assert set(ended.stdout.decode().split()) & (NEVER | AT_A_CALL) == set()


def test_a_service_runs_without_them_on_a_new_and_on_an_old_journal(tmp_path: Path) -> None:
    """Neither making the tables nor finding them as they should be takes Alembic, and no start takes zeep."""
    (tmp_path / "telling.py").write_text(TELLING)
    write_configuration(tmp_path, handler='target = "telling:handle"')
    for journal in ("new", "old"):
        loaded = loaded_by_a_service(tmp_path)
        assert "soap_handler.journal.migrate" in loaded
        assert loaded & (NEVER | AT_A_CALL | NOT_BY_US) == set(), journal
        (tmp_path / "loaded").unlink()


def test_a_handler_that_wants_rich_gets_it(tmp_path: Path) -> None:
    """What the service does without is there for whoever imports it."""
    (tmp_path / "telling.py").write_text(f"from rich.console import Console\n{TELLING}\nConsole()\n")
    write_configuration(tmp_path, handler='target = "telling:handle"')
    assert loaded_by_a_service(tmp_path) >= {"rich", "rich.console"}
