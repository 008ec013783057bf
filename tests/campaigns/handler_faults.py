"""The customer's handler raises, hangs, exits, is slow, and kills its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.campaigns.plan import Plan

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site


def handler(run: Run) -> None:
    """Whatever the handler does, each notification is handled in the end, and once more only after a death."""
    plan = Plan(raises=0.2, hangs=0.01, exits=0.05, dies=0.02, stumbles=2, slowest=0.1)
    with run.site(plan=plan, sections={"handler": {"max_attempts": 20}}) as site:
        site.start()
        site.tell(run.scaled(1000, 80))
        site.until(lambda: _revived(run, site) and not site.counts.waiting, "everything is acknowledged", 300)
        site.until(lambda: _revived(run, site) and not site.counts.inbox and _all_done(site), "all is done", 300)
        _count_stumbles(run, site)
        site.stop()


def _revived(run: Run, site: Site) -> bool:
    """Start the service again when its handler has killed it, as a supervisor does."""
    if site.service.bury():
        run.tally("deaths")
        site.service.start()
    return True


def _all_done(site: Site) -> bool:
    return {state.value for state in site.books().states} <= {"done", "dead"}


def _count_stumbles(run: Run, site: Site) -> None:
    ends = [one.end for runs in site.books().diary.runs.values() for one in runs]
    run.tally("raised", ends.count("fail"))
    run.tally("hung", ends.count("hang"))
