"""Killed with SIGKILL at random moments, again and again: it costs time, and no message."""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import Disturbances, believable_notifications
from soap_handler.journal import State

from .bench import Bench, Books, bench
from .service_process import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DISTURBED = Disturbances(duplicates=0.1, lost_answers=0.1, reordered=0.2)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("kills", "messages"), [(5, 200), pytest.param(100, 2000, marks=pytest.mark.campaign)], ids=["few", "hundred"]
)
def test_no_kill_loses_a_message(
    tmp_path: Path, kills: int, messages: int, record_property: Callable[[str, object], None]
) -> None:
    """Nothing acknowledged is missing, everything is handled, the inbox ends empty; twice only what a kill hit."""
    rng = random.Random(kills)  # noqa: S311 - it draws moments, not secrets
    told = list(itertools.islice(believable_notifications(REFERENCE, seed=kills), messages))
    with bench(tmp_path, DISTURBED, seed=kills) as it:
        it.start()
        for number in range(kills):
            share = told[number * messages // kills : (number + 1) * messages // kills]
            it.ems.push_all(share)
            wait_for_a_bad_moment(it, len(share), rng)
            it.kill()
            assert it.acknowledged <= set(it.books().records), "acknowledged, and not on disk"
            it.start()
        assert it.ems.wait_until_quiet(60), it.report()
        it.until(it.finished)
        it.stop()
        books = it.books()
        assert set(books.records) == it.acknowledged == {notification.key for notification in told}
    assert books.states == {State.DONE}
    assert set(books.ends) == set(books.records), "every one was handled to its end"
    again = handled_again(books, it.killed)
    record_property("handled_more_than_once", len(again))
    print(f"{kills} kills, {messages} notifications, {len(again)} handled more than once")  # noqa: T201 - the report


def wait_for_a_bad_moment(it: Bench, share: int, rng: random.Random) -> None:
    """Wait until the service is in the midst of its work, or of its start."""
    if rng.random() < 0.2:
        time.sleep(rng.uniform(0, 1))  # it may be starting, migrating, or idle
        return
    enough = len(it.acknowledged) + rng.randrange(share)
    it.until(lambda: len(it.acknowledged) >= enough or not it.ems.counts().waiting)
    time.sleep(rng.uniform(0, 0.05))


def handled_again(books: Books, killed: set[int]) -> list[str]:
    """Return what was begun more than once, and check that each time but the last a kill was the reason."""
    again = [key for key, processes in books.starts.items() if len(processes) > 1]
    for key in again:
        *earlier, last = books.starts[key]
        assert set(earlier) <= killed, "its process was killed"
        assert len(set(earlier)) == len(earlier), "and had begun it only once"
        assert set(earlier) <= set(books.processes(key, "lost")), "in the midst of it, before it was settled"
        assert books.processes(key, "ok") == [last], "and then it was settled once"
    return again
