"""A refreshed value is fresh where that is quick, old where it is not, and no one waits for long."""

from __future__ import annotations

import itertools
import threading
import time

from soap_handler.console.refreshed import Refreshed
from tests.support.events import captured_events
from tests.support.waiting import wait_for


def test_it_is_looked_for_once_while_it_is_fresh() -> None:
    """Many who ask share one look."""
    now, looks = [0.0], itertools.count(1)
    value = Refreshed(lambda: next(looks), 5.0, lambda: now[0])
    assert [value.get() for _ in range(10)] == [1] * 10
    now[0] = 5.0
    assert value.get() == 2


def test_what_took_long_is_kept_for_longer() -> None:
    """The load on the database stays a small share, however long a backlog grows."""
    now, looks = [0.0], []

    def slow() -> int:
        now[0] += 3.0
        looks.append(1)
        return len(looks)

    value = Refreshed(slow, 5.0, lambda: now[0])
    assert value.get() == 1
    now[0] += 59.0
    assert value.get() == 1
    now[0] += 2.0
    assert value.get() == 2


def test_what_hangs_holds_up_no_one() -> None:
    """The last value has to do, and one thread hangs, not one for each who asks."""
    now, go_on, calls = [0.0], threading.Event(), []

    def hanging() -> int:
        calls.append(1)
        if len(calls) > 1:
            go_on.wait(20)
        return len(calls)

    value = Refreshed(hanging, 5.0, lambda: now[0], wait_seconds=0.05)
    assert value.get() == 1
    now[0] = 10.0
    begun = time.monotonic()
    assert [value.get() for _ in range(3)] == [1, 1, 1]
    assert time.monotonic() - begun < 10
    assert len(calls) == 2
    go_on.set()
    wait_for(lambda: value.get() == 2)


def test_a_defect_leaves_no_value_and_is_told() -> None:
    """An old value would look as if all were well."""
    now = [0.0]
    answers = iter([1])
    value = Refreshed(lambda: next(answers), 5.0, lambda: now[0])
    assert value.get() == 1
    now[0] = 10.0
    with captured_events() as events:
        assert value.get() is None
    assert [event["event"] for event in events] == ["console_broke"]
