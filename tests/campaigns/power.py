"""The machine loses power at random instants: only what was synced is certain to be there, and it is enough."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.campaigns import disk
from tests.campaigns.crash import DISTURBED, wait_for_a_bad_moment
from tests.campaigns.figures import PromiseBrokenError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

_RESERVED: Final = {"handled", "done", "dead"}


def power(run: Run) -> None:
    """Cut the power again and again; after each cut the service goes on with what the disk holds."""
    cuts = run.scaled(40, 3)
    share = run.scaled(2000, 90) // cuts
    folder = run.folder / "disk"
    folder.mkdir()
    journal, built = folder / "journal.db", disk.library(run.folder)
    with run.site(journal=f"sqlite:///{journal}", disturbances=DISTURBED) as site:
        examiner = _Examiner(run, site)
        for number in range(cuts):
            log = run.folder / f"record{number}"
            site.service.environment |= disk.environment(built, journal, log, run.folder / "full")
            machine = disk.Disk(folder)
            site.service.start()
            site.tell(share)
            wait_for_a_bad_moment(run, site, share)
            site.service.kill()
            examiner.examine(machine, list(disk.events(log)) if log.exists() else [])
            disk.put(machine.after_a_crash(run.rng), folder)
            run.tally("power cuts")
        site.service.environment.pop("LD_PRELOAD")
        site.service.start()
        site.settle_down(120)
        site.stop()


class _Examiner:
    """Looks at the disk as a crash at random instants, and at the end, would have left it."""

    def __init__(self, run: Run, site: Site) -> None:
        self._run = run
        self._site = site
        self._images = run.folder / "image"
        self._images.mkdir()

    def examine(self, machine: disk.Disk, happened: list[disk.Event]) -> None:
        """Let everything happen to the machine that was recorded."""
        deleted = _deleted(self._site)
        instants = min(len(happened), self._run.scaled(25, 15))
        chosen = {len(happened) - 1, *self._run.rng.sample(range(len(happened)), instants)}
        for number, event in enumerate(happened):
            machine.take(event)
            if number in chosen:
                following = happened[number + 1 : number + 2]
                moment = following[0].nanoseconds - 1 if following else time.monotonic_ns()
                gone = {key for key, when in deleted.items() if when <= event.nanoseconds}
                owed = {key for key, when in self._site.ems.acknowledged().items() if when <= moment}
                self._look(machine, owed, gone)

    def _look(self, machine: disk.Disk, owed: set[str], gone: set[str]) -> None:
        disk.put(machine.after_a_crash(self._run.rng), self._images)
        problem = _problem(self._images / "journal.db", owed, gone)
        self._run.tally("instants examined")
        if problem:
            raise PromiseBrokenError(f"after a power cut: {problem}")


def _problem(journal: Path, owed: set[str], deleted: set[str]) -> str:
    """Return what is wrong with a journal that was found after a crash; empty when it is as it should be."""
    states: dict[str, str] = {}
    if journal.exists():
        connection = sqlite3.connect(journal)
        try:
            found: list[Any] = connection.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                return f"integrity_check says {found[:3]}"
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'notification'").fetchone():
                states = dict(connection.execute("SELECT key, state FROM notification"))
        except sqlite3.DatabaseError as error:
            return f"the journal cannot be read: {error}"
        finally:
            connection.close()
    lost = owed - states.keys()
    hasty = {key for key in deleted if states.get(key) not in _RESERVED}
    if lost:
        return f"{len(lost)} of {len(owed)} acknowledged are not on disk"
    return f"{len(hasty)} left the inbox before the disk knew that they were handled" if hasty else ""


def _deleted(site: Site) -> dict[str, int]:
    """Return when each message left the inbox, on the monotonic clock."""
    shift = time.monotonic_ns() - int(datetime.now(UTC).timestamp() * 1e9)
    found = {}
    for notification in site.told:
        for entry in site.ems.inbox.mailbox.history(getattr(notification, "id", "")):
            if entry.step == "deleted":
                found[notification.key] = int(entry.at.timestamp() * 1e9) + shift
    return found
