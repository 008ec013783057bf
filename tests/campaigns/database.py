"""PostgreSQL is stopped, crashes, is frozen, and cuts connections: faults meanwhile, and recovery without a restart."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.campaigns.postgresql import PostgreSQL

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site


def database(run: Run) -> None:
    """One service process from beginning to end, through every way in which its database can go away."""
    rounds = run.scaled(40, 4)
    share = run.scaled(2000, 80) // rounds
    sections = {"journal": {"timeout": 3}}
    with PostgreSQL(run.folder) as server, run.site(journal=server.url("journal"), sections=sections) as site:
        site.start()
        process = site.service.pid
        for number in range(rounds):
            site.tell(share)
            time.sleep(run.rng.uniform(0, 0.2))
            what = ("connections cut", "crashed", "stopped", "frozen")[number % 4]
            _trouble(run, site, server, what)
            run.tally(what)
            site.until(lambda: not site.counts.waiting, "pushes are taken again")
        site.settle_down(120)
        site.promise(site.service.running and site.service.pid == process, "the service lived through it")
        site.stop()


def _trouble(run: Run, site: Site, server: PostgreSQL, what: str) -> None:
    if what == "connections cut":
        server.cut_connections()
        return
    if what == "frozen":
        server.freeze()
        time.sleep(run.rng.uniform(0.5, 5))  # shorter and longer than the service waits for a commit
        server.thaw()
        return
    server.stop(signal.SIGQUIT if what == "crashed" else signal.SIGINT)
    site.tell(4)
    site.until(lambda: _refused(site), "while the database is gone, pushes get a Server fault")
    server.start()


def _refused(site: Site) -> bool:
    said = [delivery.last_failure for delivery in site.ems.waiting()]
    return any("HTTP 500" in text and "Server" in text for text in said)
