"""Connections cut before, in and after the request and the reply, in both directions of the service."""

from __future__ import annotations

from urllib.parse import urlsplit

from typing import TYPE_CHECKING

from .proxy import Proxy

if TYPE_CHECKING:
    from .run import Run


def network(run: Run) -> None:
    """Half of EMS's connections are cut somewhere; what EMS cannot know to be stored, it pushes again."""
    with run.site() as site:
        site.start()
        with Proxy([site.service.port], share=0.5, seed=run.seed) as proxy:
            site.ems.handler_url = site.url_of(proxy.port)
            site.tell(run.scaled(2000, 100))
            site.settle_down(300)
            for where, count in sorted(proxy.cuts.items()):
                run.tally(f"cut {where}", count)
            run.tally("sends", site.counts.sends)
            site.promise(len(proxy.cuts) == 5, f"connections were cut everywhere: {proxy.cuts}")
        site.stop()
