"""Connections cut before, in and after the request and the reply, of EMS to us and of us to its inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.campaigns.proxy import WHERE, Proxy

if TYPE_CHECKING:
    from tests.campaigns.run import Run

LEAST = 200  # notifications: enough for a cut at each place


def network(run: Run) -> None:
    """Every connection is cut sooner or later; what either side cannot know to have arrived, it sends again."""
    with (
        Proxy([], share=1, seed=run.seed + 1) as to_inbox,
        run.site(inbox_port=to_inbox.port) as site,
        Proxy([site.service.port], share=1, seed=run.seed) as to_us,
    ):
        to_inbox.upstreams = [urlsplit(site.ems.inbox_url).port or 0]
        site.start()
        site.ems.handler_url = site.url_of(to_us.port)
        site.tell(run.scaled(2000, LEAST))
        site.settle_down(300)
        for where in WHERE:
            run.tally(f"cut {where}", to_us.cuts[where])
        run.tally("cut to the inbox", to_inbox.cuts.total())
        run.tally("sends", site.counts.sends)
        site.promise(all(to_us.cuts[where] for where in WHERE), f"connections were cut everywhere: {to_us.cuts}")
        site.stop()
