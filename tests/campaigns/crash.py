"""Killed with SIGKILL at random moments, again and again: it costs time, and no message."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from soap_handler.ems import Disturbances
from tests.campaigns.figures import PromiseBrokenError
from tests.campaigns.plan import Plan

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

DISTURBED: Final = Disturbances(duplicates=0.1, lost_answers=0.1, reordered=0.2)


def crash(run: Run) -> None:
    """Kill a service with a plain handler: at-least-once, so twice only what a kill hit."""
    _crash(run, Plan())


def crash_transactional(run: Run) -> None:
    """Kill one whose handler's effects commit together with "handled": never lost, never doubled."""
    _crash(run, Plan(transactional=True))


def crash_workers(run: Run) -> None:
    """Kill all processes of a service with three workers, or one of them, or their parent."""
    kills = run.scaled(60, 6)
    share = run.scaled(2000, 120) // kills
    with run.site(disturbances=DISTURBED, sections={"server": {"workers": 3}}) as site:
        site.start()
        for number in range(kills):
            site.tell(share)
            wait_for_a_bad_moment(run, site, share)
            _kill_some(run, site, ("one worker", "all", "the parent")[number % 3])
            check(site)
            if not site.service.running:
                site.service.start()
        site.settle_down(120)
        site.stop()


def _kill_some(run: Run, site: Site, whom: str) -> None:
    run.tally(f"killed {whom}")
    service = site.service
    workers = sorted(service.processes() - {service.pid})
    if whom == "the parent":
        service.kill_one(service.pid)
    elif whom == "all" or not workers:  # none has started yet
        service.kill()
    else:
        service.kill_one(run.rng.choice(workers))


def _crash(run: Run, plan: Plan) -> None:
    kills = run.scaled(100, 3)
    share = run.scaled(2000, 60) // kills
    with run.site(plan=plan, disturbances=DISTURBED) as site:
        site.start()
        for _ in range(kills):
            site.tell(share)
            wait_for_a_bad_moment(run, site, share)
            site.service.kill()
            check(site)
            site.service.start()
            run.tally("kills")
        site.settle_down(120)
        site.stop()


def check(site: Site) -> None:
    """Look for what was acknowledged and is not on disk.

    Raises:
        PromiseBrokenError: there is some.
    """
    acknowledged = site.acknowledged  # before the books are opened, since a service may be running
    lost = acknowledged - site.books().records.keys()
    if lost:
        raise PromiseBrokenError(f"{len(lost)} were acknowledged and not on disk after a kill")


def wait_for_a_bad_moment(run: Run, site: Site, share: int) -> None:
    """Wait until the service is in the midst of its work, or of its start."""
    if run.rng.random() < 0.2:
        time.sleep(run.rng.uniform(0, 1.5))  # it may be starting, migrating, or idle
        return
    enough = len(site.acknowledged) + run.rng.randint(1, share)
    site.until(lambda: len(site.acknowledged) >= enough or not site.counts.waiting, "the service takes pushes")
    time.sleep(run.rng.uniform(0, 0.05))
