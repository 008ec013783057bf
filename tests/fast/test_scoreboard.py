"""The scoreboard: what the workers of one port know of each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from soap_handler.fast.assembly import FastSeams
from soap_handler.fast.scoreboard import Scoreboard, WorkerSlot
from tests.support.service import serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import message

if TYPE_CHECKING:
    from pathlib import Path


def test_each_slot_counts_by_itself_and_all_see_all() -> None:
    """A worker adds to its own count and reads all of them."""
    scoreboard = Scoreboard(3)
    first, second = WorkerSlot(scoreboard, 0), WorkerSlot(scoreboard, 1)
    first.note_arrivals(5)
    second.note_arrivals(2)
    second.note_arrivals(1)
    assert (first.arrivals, second.arrivals) == (5, 3)
    assert first.all_arrivals == second.all_arrivals == [5, 3, 0]
    assert first.workers == 3


def test_only_workers_that_accept_are_present() -> None:
    """One that drains, or has died, is left out: the others do its share."""
    scoreboard = Scoreboard(3)
    slots = [WorkerSlot(scoreboard, number) for number in range(3)]
    assert slots[0].present == set()
    slots[0].join()
    slots[2].join()
    assert slots[1].present == {0, 2}
    slots[0].leave()
    scoreboard.leave(2)
    assert slots[1].present == set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_processes_share_it() -> None:
    """What a forked process notes is seen by its parent."""
    scoreboard = Scoreboard(2)
    process = os.fork()
    if process == 0:
        WorkerSlot(scoreboard, 1).note_arrivals(7)
        os._exit(0)
    os.waitpid(process, 0)
    assert WorkerSlot(scoreboard, 0).all_arrivals == [0, 7]


def test_a_service_is_present_while_it_accepts(tmp_path: Path) -> None:
    """It joins before the first push, counts what comes, and leaves when it is told to stop."""
    with serving(settings_for(tmp_path)) as service:
        assert isinstance(service.app.seams, FastSeams)
        slot = service.app.seams.slot
        wait_for(lambda: slot.present == {0})
        assert service.post(message()).confirms
        assert slot.arrivals == 1
        service.stop()
        assert slot.present == set()
