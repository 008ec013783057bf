"""A thousand accounts in one service: pushes for all of them, some inboxes refuse; held against a service with one."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import MessageReceived
from tests.campaigns.service import PASSWORD, USERNAME
from tests.campaigns.site import ACCOUNT
from tests.support.wire import envelope, header, operation, post

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from soap_handler.ems import EmsAccount
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

LEAST: Final = 300  # accounts; from there on a thread and a poll for each are plain to see
IDLE_SECONDS: Final = 2.0
IDLE_SHARE: Final = 0.02
"""Of a processor, that all accounts together may take more than one does while nothing happens."""
SLOWER: Final = 3.0
"""How many times as long a push may take as with one account; it was seventy times as long once."""
NOISE_SECONDS: Final = 0.01
PUSHES: Final = 40
LOGINS: Final = 8
"""So many refused logins for one account would be trying at speed, which locks it."""


def accounts(run: Run) -> None:
    """Hold a service with a thousand accounts against one with one, which says what this machine can do."""
    count = run.scaled(1000, LEAST)
    with run.site() as site:
        site.start()
        idle, push = _measure(site)
        _tell(site, 5)
        site.settle_down(120)
        site.stop()
    several = [dataclasses.replace(ACCOUNT, reference=f"EX{number:07d}") for number in range(1, count + 1)]
    with run.site(accounts=several) as site:
        site.start()
        idle_of_all, push_of_all = _measure(site)
        run.tally("accounts", count)
        run.tally("idle of one, percent", round(100 * idle, 1))
        run.tally("idle of all, percent", round(100 * idle_of_all, 1))
        run.tally("push with one, ms", round(1000 * push, 1))
        run.tally("push with all, ms", round(1000 * push_of_all, 1))
        site.promise(idle_of_all < idle + IDLE_SHARE, f"idle: {idle_of_all:.1%} of a processor, with one {idle:.1%}")
        slower = push_of_all < SLOWER * push + NOISE_SECONDS
        site.promise(slower, f"a push takes {push_of_all * 1000:.1f} ms, with one account {push * 1000:.1f} ms")
        with _refusing(site, several[::10]):
            _tell(site, count)
            site.until(lambda: site.counts.refused_logins >= len(several[::10]), "the refused logins are tried")
        site.settle_down(120)
        refused = site.counts.refused_logins
        run.tally("refused logins", refused)
        site.promise(refused < LOGINS * len(several[::10]), f"{refused} refused logins are no trying at speed")
        site.stop()


def _tell(site: Site, count: int) -> None:
    """Let so many notifications happen, and wait until all are handled."""
    site.tell(count)
    site.until(lambda: len(site.books().handled) >= len(site.told), "handlers run", every=0.2)


def _measure(site: Site) -> tuple[float, float]:
    """Return the share of a processor that idleness takes, and how long (seconds) a push takes, at the median."""
    time.sleep(0.5)  # the start is over
    before, began = _processor_seconds(site), time.monotonic()
    time.sleep(IDLE_SECONDS)
    idle = (_processor_seconds(site) - before) / (time.monotonic() - began)
    return idle, statistics.median(_push_times(site))


def _push_times(site: Site) -> Iterator[float]:
    """Push messages by hand, in the place of EMS, and yield how long (seconds) each took."""
    for told in site.invent(PUSHES):
        if not isinstance(told, MessageReceived):
            site.ems.push(told)
            continue
        site.ems.inbox.mailboxes[told.account].put(told)
        head = header(username=USERNAME, password=PASSWORD, account=told.account)
        body = envelope(operation(id=told.id, originator=told.originator), head)
        began = time.monotonic()
        answer = post(site.service.port, body)
        yield time.monotonic() - began
        site.promise(answer.status == HTTPStatus.OK, f"a push is taken: {answer}")


def _processor_seconds(site: Site) -> float:
    ticks = 0
    for process in site.service.processes():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _refusing(site: Site, several: Sequence[EmsAccount]) -> Iterator[None]:
    """Let EMS have another password for the inboxes of some accounts for a while."""
    for one in several:
        site.ems.inbox.change_password(one.reference, "another")
    yield
    for one in several:
        site.ems.inbox.change_password(one.reference, one.password)
