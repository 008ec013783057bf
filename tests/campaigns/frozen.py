"""What the journal lies on stands still, and looks healthy: sessions of PostgreSQL are stopped, syncs do not return."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tests.campaigns import disk
from tests.campaigns.figures import TooLateError
from tests.campaigns.postgresql import PostgreSQL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

SECTIONS: Final = {"journal": {"timeout": 1}, "server": {"drain_timeout": 2}}
_STOP_SECONDS: Final = 15.0  # for a drain of two seconds, and all that is closed after it


def frozen(run: Run) -> None:
    """Faults in time while it stands still, and an end that comes; then all goes on, and nothing is missing."""
    _sessions(run)
    _syncs(run)


def _sessions(run: Run) -> None:
    """Stop the service's sessions: it makes new ones while they still stand. Then stop the whole server.

    Each second time they are stopped wherever they are, in the midst of a commit perhaps: then nothing may get through
    until they go on.
    """
    rounds = run.scaled(20, 1)
    share = run.scaled(1000, 40) // rounds
    with PostgreSQL(run.folder) as server, run.site(journal=server.url("journal"), sections=SECTIONS) as site:
        site.start()
        for number in range(rounds):
            site.tell(share)
            if number % 2 == 0:
                server.freeze_idle_sessions()
            else:
                server.freeze_sessions()
            site.tell(4)
            site.until(lambda: refused(site), "while the sessions stand still, pushes get a Server fault")
            if number % 2 == 0:
                site.until(lambda: not site.counts.waiting, "pushes are taken over new sessions")
            server.thaw()
            site.until(lambda: not site.counts.waiting, "pushes are taken when the sessions go on")
            run.tally("sessions stopped")
        _end_while(run, site, server.freeze, server.thaw)


def _syncs(run: Run) -> None:
    """Let no sync return, for longer than the service waits for a commit."""
    rounds = run.scaled(20, 1)
    share = run.scaled(1000, 40) // rounds
    folder = run.folder / "disk"
    folder.mkdir()
    journal, flag = folder / "journal.db", run.folder / disk.STALLED
    variables = disk.environment(disk.library(run.folder), journal, run.folder / "record", run.folder / "full")
    with run.site(journal=f"sqlite:///{journal}", sections=SECTIONS, environment=variables) as site:
        site.start()
        for _ in range(rounds):
            site.tell(share)
            flag.touch()
            site.tell(4)
            site.until(lambda: refused(site), "while no sync returns, pushes get a Server fault")
            run.tally("refused meanwhile", len(site.ems.waiting()))
            flag.unlink()
            site.until(lambda: not site.counts.waiting, "pushes are taken again when syncs return")
            run.tally("syncs stalled")
        _end_while(run, site, flag.touch, flag.unlink)


def _end_while(run: Run, site: Site, stand_still: Callable[[], None], go_on: Callable[[], None]) -> None:
    """End the service while everything stands still, and start another one when it goes on."""
    stand_still()
    site.tell(4)
    site.service.gone.add(site.service.pid)  # what it could not write down is done again
    began = time.monotonic()
    try:
        if site.service.stop(_STOP_SECONDS) is None:
            raise TooLateError(f"the service ends although its journal stands still: not within {_STOP_SECONDS:g} s")
        run.tally("seconds to end", round(time.monotonic() - began, 1))
        site.service.close()
    finally:
        go_on()
    site.start()
    site.settle_down(120)
    site.stop()


def refused(site: Site) -> bool:
    """Whether EMS was told of late that a push could not be stored."""
    said = [delivery.last_failure for delivery in site.ems.waiting()]
    return any("HTTP 500" in text and "Server" in text for text in said)
