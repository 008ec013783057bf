"""``soap-handler reconcile`` and ``journal reconciliations``, mostly in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.journal import Journal, State
from tests.inbox.reconcile.reconciling import REFERENCE, message, states, store
from tests.inbox.reconcile.test_reconcile_run import listed
from tests.inbox.servers import Server, always

if TYPE_CHECKING:
    from soap_handler.ems import InboxService
    from tests.cli.conftest import Result, Run


class Place:
    """A folder with a configuration and a journal."""

    def __init__(
        self,
        folder: Path,
        inbox_url: str,
        journal_url: str,
        password: str = "secret",  # noqa: S107 - of a simulated inbox
        run: Run | None = None,
    ) -> None:
        """``run`` carries out a command in this process, in the folder."""
        self.folder = folder
        self._run = run
        (folder / "soap-handler.toml").write_text(
            f"""
            [journal]
            url = "{journal_url}"
            [[account]]
            reference = "{REFERENCE}"
            aliases = ["447786204254"]
            anonymous = true
            [account.inbox]
            url = "{inbox_url}"
            username = "someone"
            password = "{password}"
            [[account]]
            reference = "EX0000009"
            anonymous = true
            """,
            encoding="utf-8",
        )

    def run(self, *arguments: str) -> Result:
        assert self._run is not None
        return self._run(*arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.code == 0, done.err
        return done.json


@pytest.fixture
def place(tmp_path: Path, url: str, journal: Journal, ems: InboxService, run: Run) -> Place:
    for number, state in enumerate(State):
        ems.mailbox.put(store(journal, number, state))
    for number in range(10, 13):
        ems.mailbox.put(message(number))
    return Place(tmp_path, ems.url, url, run=run)


COUNTS = {"inbox": 7, "known": 4, "recovered": 3, "deleted_again": 1, "left_alone": 3, "unreadable": 0}


def test_a_dry_run_counts_and_writes_nothing(place: Place, journal: Journal) -> None:
    """By any name of the account."""
    before = states(journal)
    found = place.json("reconcile", "--dry-run", "--account", "447786204254")
    assert found == {"dry_run": True, "accounts": [{"account": REFERENCE, **COUNTS, "error": None}]}
    assert states(journal) == before
    assert place.json("journal", "reconciliations") == []


def test_the_command_journals_and_leaves_the_rest_to_the_service(place: Place, journal: Journal) -> None:
    """What it recovers waits to be handled, and it says so; its run is in the journal for people and programs."""
    done = place.python("-m", "soap_handler", "reconcile")
    assert done.returncode == 0, done.stderr
    assert "3 recovered, 1 to be deleted again; they are handled and deleted while the service runs." in done.stdout
    assert done.stderr == "", "bars are for terminals, and warnings would break them"
    assert list(states(journal).values()).count(State.RECEIVED) == 4
    [run] = place.json("journal", "reconciliations", "--account", REFERENCE)
    assert run.pop("started_at") < run.pop("ended_at")
    assert run == {"account": REFERENCE, **COUNTS, "error": None}
    place.json("reconcile")
    shown = place.run("journal", "reconciliations", "--limit", "1")
    assert shown.out.count(REFERENCE) == 1
    assert "ok" in shown.out


def test_an_inbox_that_cannot_be_read_is_exit_1(place: Place, url: str, ems: InboxService, run: Run) -> None:
    """The reason is told, and kept, and holds no password."""
    wrong = Place(place.folder, ems.url, url, password="not-the-secret", run=run)
    done = wrong.run("reconcile")
    assert done.code == 1
    assert f"soap-handler: {REFERENCE}: SOAP fault, code 2, authentication failed" in done.err
    assert "not-the-secret" not in done.out + done.err
    failed = wrong.run("reconcile", "--dry-run", "--json")
    assert failed.code == 1
    assert failed.json["accounts"][0]["error"] == "SOAP fault, code 2, authentication failed"
    assert [each["error"] for each in wrong.json("journal", "reconciliations")] == [
        "SOAP fault, code 2, authentication failed"
    ]


@pytest.mark.parametrize("name", ["EX0000009", "nobody"])
def test_an_account_without_an_inbox_is_wrong_usage(place: Place, name: str) -> None:
    """There is nothing to look at."""
    done = place.run("reconcile", "--account", name)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_without_a_journal_none_is_made(tmp_path: Path, run: Run) -> None:
    """A wrong working directory does not recover everything into a new file."""
    place = Place(tmp_path, "http://127.0.0.1:9/", f"sqlite:///{tmp_path / 'none.db'}", run=run)
    done = place.run("reconcile", "--dry-run")
    assert done.code == 1
    assert "there is no journal" in done.err
    assert not (tmp_path / "none.db").exists()


# Linux counts the parent's memory into ru_maxrss of a child; VmHWM is the child's own.
_MEASURED = """
import atexit, pathlib, re
from soap_handler.cli import main
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]))
main()
"""


def peak(place: Place, count: int) -> int:
    """Recover a list of this many messages by the command; return the most memory that it had, in kB."""
    body = "lorem ipsum dolor sit amet " * 10 + "&#x1B;"  # each has to be mended, which is the costly way
    told = [f"<message><id>{number:032d}</id><body>{body}</body></message>" for number in range(count)]
    with Server(always(200, listed(*told))) as server:
        place = Place(place.folder, server.url, f"sqlite:///{place.folder / 'journal.db'}")
        done = place.python("-c", _MEASURED, "reconcile", "--json")
    assert done.returncode == 0, done.stderr
    counts, size = done.stdout.splitlines()
    found = json.loads(counts)["accounts"][0]
    assert found["inbox"] == found["known"] + found["recovered"] == count
    return int(size)


@pytest.mark.campaign
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process in /proc")
def test_a_long_list_takes_no_more_memory_than_a_short_one(tmp_path: Path, url: str, journal: Journal) -> None:
    """10,000 messages after an outage are recovered in the memory of 1,000, and all are known afterwards."""
    place = Place(tmp_path, "http://127.0.0.1:9/", url)
    short, long, again = peak(place, 1000), peak(place, 10_000), peak(place, 10_000)
    assert long - short < 15_000, "kB"
    assert again - short < 15_000, "kB"
    tallies = [run.tally for run in journal.reconciliations()]
    assert [(tally.recovered, tally.left_alone) for tally in tallies] == [(0, 10_000), (9000, 1000), (1000, 0)]
