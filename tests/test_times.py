"""Times of options, and times for people, in the local zone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from soap_handler import times

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # 10:30 in Berlin


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "begin", "length"),
    [
        ("2h", "2026-03-02T07:30:00Z", 0),
        ("90 s", "2026-03-02T09:28:30Z", 0),
        ("3d", "2026-02-27T09:30:00Z", 0),
        ("10:02", "2026-03-02T09:02:00Z", 60),
        ("9:02", "2026-03-02T08:02:00Z", 60),
        ("10:02:05", "2026-03-02T09:02:05Z", 1),
        ("23:00", "2026-03-01T22:00:00Z", 60),
        ("2026-03-01", "2026-02-28T23:00:00Z", 86400),
        ("2026-03-29", "2026-03-28T23:00:00Z", 82800),
        ("2026-03-01 10:02", "2026-03-01T09:02:00Z", 60),
        ("2026-03-01T10:02Z", "2026-03-01T10:02:00Z", 60),
        ("2026-03-01T10:02:03+05:00", "2026-03-01T05:02:03Z", 0.000001),
    ],
)
def test_a_time_is_read_in_the_local_zone(text: str, begin: str, length: float) -> None:
    """With its beginning and its end, so that 10:02 is the whole minute and a date the whole day."""
    since, until = times.read(text, NOW)
    assert since == datetime.fromisoformat(begin)
    assert until == since + timedelta(seconds=length)


@pytest.mark.parametrize("text", ["", "25:00", "10:60", "yesterday", "2026-02-30", "999999w", "2", "-2h", "10:02:61"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """A number that no calendar has, too."""
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says what was expected
        times.read(text, NOW)


def test_times_are_shown_in_the_local_zone_with_their_age() -> None:
    """And the zone has a name."""
    moment = NOW - timedelta(hours=3)
    assert times.with_age(NOW)(moment) == "2026-03-02 07:30:00 (3 h ago)"
    assert times.local_short(moment, NOW) == "07:30:00"
    assert times.local_short(NOW - timedelta(days=1), NOW) == "03-01 10:30"
    assert times.zone(NOW) == "CET (UTC+0100)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"), (1, "1 s ago"), (119, "119 s ago"),
        (120, "2 min ago"), (7199, "119 min ago"), (7200, "2 h ago"),
        (172800, "2 d ago"), (-300, "in 5 min"),
    ],
)  # fmt: skip
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    """The largest of which there are two."""
    assert times.ago(NOW - timedelta(seconds=seconds), NOW) == text
