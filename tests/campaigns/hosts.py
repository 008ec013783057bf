"""Three services on one PostgreSQL behind a balancer: one is killed, one is frozen past its leases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from soap_handler.ems import Disturbances, PushSettings
from tests.campaigns.plan import Plan
from tests.campaigns.postgresql import PostgreSQL
from tests.campaigns.proxy import Proxy

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

HOSTS: Final = 3
FROZEN: Final = (3.0, 5.0)  # seconds: past the lease
PUSHING: Final = PushSettings(concurrency=6, timeout=2, first_retry=0.02, longest_retry=0.3)


def hosts(run: Run) -> None:
    """Share the work among plain handlers: twice only what was running on a host that was killed or frozen."""
    _hosts(run, Plan(slowest=0.5, delete_lease=2.5))


def hosts_transactional(run: Run) -> None:
    """Let handlers write into the shared database: nothing lost, nothing doubled, whoever wakes up late."""
    _hosts(run, Plan(slowest=0.5, delete_lease=2.5, transactional=True))


def _hosts(run: Run, plan: Plan) -> None:
    rounds = run.scaled(20, 2)
    share = run.scaled(3000, 120) // rounds
    settings = {"handler": {"timeout": 1}, "journal": {"timeout": 3}}
    disturbed = Disturbances(duplicates=0.1, lost_answers=0.05)
    with (
        PostgreSQL(run.folder) as server,
        run.site(
            plan=plan,
            journal=server.url("journal"),
            hosts=HOSTS,
            pushing=PUSHING,
            sections=settings,
            disturbances=disturbed,
        ) as site,
        Proxy([service.port for service in site.services]) as balancer,
    ):
        site.ems.handler_url = site.url_of(balancer.port)
        for service in site.services:
            service.start()
        site.until(lambda: all(service.answers() for service in site.services), "every service answers")
        for _ in range(rounds):
            site.tell(share)
            _round(run, site)
        site.settle_down(180)
        busy = {run_.process for runs in site.books().diary.runs.values() for run_ in runs}
        run.tally("processes that handled", len(busy))
        site.promise(len(busy) >= HOSTS, "every host takes part")
        site.stop()


def _round(run: Run, site: Site) -> None:
    """Kill one host and freeze another in the midst of their work; the third goes on."""
    victim, sleeper = run.rng.sample(site.services, 2)
    enough = len(site.acknowledged) + 20
    site.until(lambda: len(site.acknowledged) >= enough or not site.counts.waiting, "pushes are taken")
    time.sleep(run.rng.uniform(0, 0.3))
    sleeper.freeze()
    run.tally("frozen")
    time.sleep(run.rng.uniform(0, 0.3))
    victim.kill()
    run.tally("killed")
    time.sleep(run.rng.uniform(*FROZEN))
    sleeper.thaw()
    victim.start()
    site.until(lambda: not site.counts.waiting, "the others take the pushes")
    site.until(victim.answers, "the killed service is back")
