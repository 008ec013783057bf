"""The service is killed at random while a sink delivers, and the sink's peer goes and comes: nothing is lost."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soap_handler.journal import Step
from tests.campaigns import peers
from tests.campaigns.books import Books, process
from tests.campaigns.crash import DISTURBED, check, wait_for_a_bad_moment
from tests.campaigns.peer_processes import Broker, OldHandler
from tests.campaigns.plan import Plan
from tests.campaigns.proxy import Proxy
from tests.campaigns.site import Site

if TYPE_CHECKING:
    from tests.campaigns.books import Run as Call
    from tests.campaigns.peers import Peer
    from tests.campaigns.run import Run
    from tests.campaigns.service import Sections

_CUT: Final = 0.5  # share of the connections to the peer that a proxy cuts in one of their first exchanges


class SinkBooks(Books):
    """The books of a service that delivers messages and events to a peer, and the rest to the handler."""

    def __init__(self, url: str, diary: Path, peer: Peer) -> None:
        super().__init__(url, diary)
        self.taken = peer.taken()
        self._idempotent = peer.idempotent

    @property
    def handled(self) -> set[str]:
        """What has arrived."""
        return super().handled | set(self.taken)

    @property
    def doubled(self) -> set[str]:
        """What is at the peer twice although it recognises a repeated delivery."""
        return {key for key, times in self.taken.items() if times > 1} if self._idempotent else set()

    @property
    def handled_twice(self) -> dict[str, list[Call]]:
        """What has arrived more than once, and what the handler began more than once."""
        return super().handled_twice | {key: [] for key, times in self.taken.items() if times > 1}

    def unexcused(self, gone: set[int]) -> list[str]:
        """Return what has arrived more often than deliveries of it were cut off, by a kill or by the peer."""
        own = [key for key in super().unexcused(gone) if key not in self.taken]
        return own + [key for key, times in self.taken.items() if times > 1 + self._cut_off(key, gone)]

    def _cut_off(self, key: str, gone: set[int]) -> int:
        tries = [attempt for attempt in self.attempts[key] if attempt.step is Step.HANDLE and attempt.outcome != "ok"]
        return sum(attempt.outcome != "lost" or process(attempt) in gone for attempt in tries)


class SinkSite(Site):
    """A scene with a peer in it."""

    def __init__(self, folder: Path, peer: Peer, **how: Any) -> None:
        self._peer = peer
        sections: Sections = {  # a name in brackets is a table of an array; the blank tells the second from the first
            "[route]": {"kinds": ["SubscriptionEvent"], "sink": "python"},  # the campaign's handler is loaded for it
            "[ route]": {"sink": "peer"},
            "sink.peer": {**peer.settings, "timeout": peers.TIMEOUT, "concurrency": 4},
        }
        super().__init__(folder, sections=sections, **how)

    def books(self) -> SinkBooks:
        """Return the books as they are now, with those of the peer."""
        return SinkBooks(self.journal, self.folder / "diary.txt", self._peer)


def webhook(run: Run) -> None:
    """Deliver to a web hook whose connections are cut: what arrived before a lost answer arrives again."""
    _deliver(run, peers.Hook(run.folder))


def soap(run: Run) -> None:
    """Relay to an Account Event Handler, a process that is killed and whose connections are cut."""
    _deliver(run, OldHandler(run.folder))


def amqp(run: Run) -> None:
    """Publish to a RabbitMQ that is killed and started again: what it confirmed is in its queue."""
    _deliver(run, Broker(run.folder))


def files(run: Run) -> None:
    """Deliver to a directory that goes away: a file for each, once."""
    _deliver(run, peers.Directory(run.folder))


def command(run: Run) -> None:
    """Deliver to a program that is missing now and then."""
    _deliver(run, peers.Program(run.folder))


def sql(run: Run) -> None:
    """Deliver to a table of a PostgreSQL server that is stopped: a row for each, once."""
    _deliver(run, peers.SqlTable(run.folder))


def _deliver(run: Run, peer: Peer) -> None:
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=run.folder))
    with ExitStack() as everything:
        everything.callback(peer.close)
        peer.start()
        cuts = None
        if peer.port:
            cuts = everything.enter_context(Proxy([peer.port], share=_CUT, seed=run.seed))
            peer.through = cuts.port
        how: dict[str, Any] = {"seed": run.seed, "figures": run.figures, "api": run.api, "plan": Plan(sink_grace=0.5)}
        with SinkSite(folder, peer, disturbances=DISTURBED, **how) as site:
            _kill_again_and_again(run, site, peer)
        if cuts is not None:
            run.tally("connections cut", cuts.cuts.total())


def _kill_again_and_again(run: Run, site: SinkSite, peer: Peer) -> None:
    kills = run.scaled(40, 2)
    share = run.scaled(2000, 60) // kills
    site.start()
    for number in range(kills):
        site.tell(share)
        wait_for_a_bad_moment(run, site, share)
        if number % 2:
            peer.stop()
            run.tally("peer stopped")
        site.service.kill()
        site.service.start()
        run.tally("kills")
        time.sleep(run.rng.uniform(0, 1))
        peer.start()
        check(site)
    site.settle_down(120)
    site.stop()
