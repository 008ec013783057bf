"""The EMS inbox is down for the first half of the run, and over a restart: handlers run once, deletes come later."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import Disturbances, OutageKind, believable_notifications
from soap_handler.journal import State
from soap_handler.notifications import MessageReceived

from .bench import bench
from .service_process import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", [OutageKind.SERVER_ERROR, OutageKind.LOST_ANSWER])
def test_an_inbox_outage_never_runs_a_handler_again(tmp_path: Path, kind: OutageKind) -> None:
    """Every handler ran once, and every message is deleted in the end, although the service was restarted meanwhile."""
    told = list(itertools.islice(believable_notifications(REFERENCE, seed=3), 80))
    messages = sum(isinstance(notification, MessageReceived) for notification in told)
    with bench(tmp_path, Disturbances(duplicates=0.2, lost_answers=0.2), seed=3) as it:
        it.ems.inbox.outage(kind)
        it.start()
        it.ems.push_all(told[:40])
        it.until(lambda: len(it.books().ends) == 40)
        it.until(lambda: any(record.delete_attempts > 1 for record in it.books().records.values()))
        it.stop()
        assert State.HANDLED in it.books().states, "deletes are still to be made"
        it.start()
        it.until(lambda: len(it.acknowledged) == 40 and not it.ems.counts().waiting)
        it.ems.inbox.restore()
        it.ems.push_all(told[40:])
        assert it.ems.wait_until_quiet(30), it.report()
        it.until(it.finished)
        it.stop()
        books, counts = it.books(), it.ems.counts()
    assert (counts.inbox, counts.deleted) == (0, messages)
    assert {key: len(starts) for key, starts in books.starts.items()} == {each.key: 1 for each in told}
    assert books.states == {State.DONE}
