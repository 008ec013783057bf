"""The whole simulated EMS: what happens by seed happens again, and its books agree with what both sides saw."""

from __future__ import annotations

import itertools
import socket
import string
from datetime import UTC, datetime, timedelta
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.ems import Disturbances, OutageKind, PushSettings, SimulatedEms, believable_notifications
from soap_handler.ems.disturbances import plan_push
from soap_handler.ems.wire import dotnet_time
from soap_handler.notifications import Kind, MessageReceived, MessageType, Notification, SubscriptionEvent
from soap_handler.xml.control_characters import shield, unshield
from tests.ems.conftest import ACCOUNT, HEADER, RecordingHandler, ZeepFor, served

EVERYTHING = Disturbances(
    duplicates=0.2, lost_answers=0.2, late=0.1, late_by=0.1, reordered=0.3, bursts=0.3, burst_every=0.1
)


def some(count: int, seed: int = 1, *, controls: bool = True) -> list[Notification]:
    notifications = believable_notifications(ACCOUNT.reference, seed, control_characters=controls)
    return list(itertools.islice(notifications, count))


def test_the_books_agree_with_both_sides(zeep_for: ZeepFor) -> None:
    """Under every disturbance each notification arrives, and the counts are what handler and inbox saw."""
    handler = RecordingHandler()
    settings = PushSettings(first_retry=0.01)
    notifications = some(120, controls=False)
    received = [found for found in notifications if isinstance(found, MessageReceived)]
    with (
        served(handler) as url,
        SimulatedEms([ACCOUNT], url, disturbances=EVERYTHING, push_settings=settings, seed=3) as ems,
    ):
        ems.push_all(notifications)
        assert ems.wait_until_quiet(10), ems.waiting()
        ids = [found.id for found in zeep_for(ems.inbox_url).GetMessages(_soapheaders=HEADER)]
        zeep_for(ems.inbox_url).DeleteMessages(ids={"string": ids[:10]}, _soapheaders=HEADER)
        counts = ems.counts()
    assert counts.pushed == counts.acknowledged == 120
    assert counts.sends == len(handler.requests) == 120 + counts.duplicates
    assert counts.lost_answers > 0
    assert ids == [found.id for found in received]
    assert (counts.deleted, counts.inbox, counts.waiting, counts.given_up) == (10, len(received) - 10, 0, 0)


def test_what_never_started_can_be_stopped() -> None:
    """A test that fails before it starts EMS leaves no socket behind; stopping twice does no harm."""
    ems = SimulatedEms([ACCOUNT])
    ems.stop()
    ems.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(ems.inbox_url.split(":")[2].split("/")[0]))) != 0


def test_the_history_counts_every_push() -> None:
    """A message's history says when it was put, and each time that it was pushed."""
    message = next(found for found in some(50) if isinstance(found, MessageReceived))
    with (
        served(RecordingHandler()) as url,
        SimulatedEms(
            [ACCOUNT], url, disturbances=Disturbances(duplicates=1), push_settings=PushSettings(first_retry=0.01)
        ) as ems,
    ):
        ems.push(message)
        assert ems.wait_until_quiet(5)
        steps = [entry.step for entry in ems.inbox.mailbox.history(message.id)]
    assert steps == ["put", "pushed", "pushed"]


def test_the_same_seed_gives_the_same_notifications() -> None:
    """Runs are repeatable; another seed gives another run."""
    assert some(100) == some(100)
    assert some(100) != some(100, seed=2)


def test_the_same_seed_strikes_the_same_notifications() -> None:
    """The injected faults depend on the seed and the order of pushes alone."""
    first, again, other = ([plan_push(EVERYTHING, rng) for _ in range(50)] for rng in map(Random, (1, 1, 2)))
    assert first == again
    assert first != other


def test_one_share_does_not_move_the_others() -> None:
    """Ordering lost answers as well does not change who is duplicated."""
    few, many = Disturbances(duplicates=0.5), Disturbances(duplicates=0.5, lost_answers=0.5, late=0.5)
    one, two = map(Random, (1, 1))
    assert [plan_push(few, one).duplicate for _ in range(50)] == [plan_push(many, two).duplicate for _ in range(50)]


def test_invented_notifications_are_believable() -> None:
    """All kinds and the contract's oddities occur, every key is new, and every number is free for drama."""
    notifications = some(2000)
    assert {found.kind for found in notifications} == set(Kind)
    assert {type(found) for found in notifications} == set(get_args(Notification))
    assert len({found.key for found in notifications}) == 2000
    received = [found for found in notifications if isinstance(found, MessageReceived)]
    bodies = {found.body for found in received}
    assert {"", " "} <= bodies
    for oddity in ("\n", "\r", "\x0c", "\x1b", "🚌", "ü"):
        assert any(oddity in body for body in bodies), oddity
    assert all(found.id == found.id.lower() for found in received)
    assert any(found.sent_at is None for found in received)
    binary = [found.body for found in received if found.type is MessageType.BINARY]
    assert binary
    assert all(set(body) <= set(string.hexdigits) for body in binary)
    numbers = [found.originator for found in received if found.originator.isdigit()]
    numbers += [found.recipient for found in received]
    numbers += [found.mobile_number for found in notifications if isinstance(found, SubscriptionEvent)]
    assert all(447700900000 <= int(number) <= 447700900999 for number in numbers)
    assert any(not found.originator.isdigit() for found in received)
    assert all(len(found.originator) <= 11 for found in received if not found.originator.isdigit())


def test_the_mix_can_be_chosen() -> None:
    """Only the kinds that are asked for come."""
    only = believable_notifications(ACCOUNT.reference, mix={Kind.MESSAGE_ERROR: 1})
    assert {found.kind for found in itertools.islice(only, 20)} == {Kind.MESSAGE_ERROR}


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_none_and_all(share: float) -> None:
    """An order that makes no sense is refused by name."""
    with pytest.raises(ValueError, match="lost_answers"):
        Disturbances(lost_answers=share)


def test_a_timeout_is_not_drawn_unless_ordered() -> None:
    """Outages by chance do not cost their callers whole timeouts by default."""
    assert OutageKind.TIMEOUT not in Disturbances().outage_kinds


def test_passwords_are_in_no_repr() -> None:
    """An account can be logged."""
    assert "secret" not in repr(ACCOUNT)
    assert ACCOUNT.push_password not in repr(ACCOUNT)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_times_keep_their_instant(moment: datetime, hours: int) -> None:
    """Seven digits and an offset or ``Z`` say the same instant, whatever zone the time came in."""
    when = moment.replace(tzinfo=UTC)
    text = dotnet_time((when + timedelta(hours=hours)) - timedelta(hours=hours))
    assert datetime.fromisoformat(text) == when
    assert text[19] == "."
    assert text[20:27].isdigit()
    assert text[27:] in {"Z", "+01:00"}


@given(st.text(st.characters(max_codepoint=0x10F6FF, exclude_categories=["Cs"])))
def test_only_control_characters_become_references(text: str) -> None:
    """Shielding and unshielding leave every other character as it is."""
    expected = "".join(f"&#x{ord(char):X};" if char < " " and char not in "\t\n\r" else char for char in text)
    assert unshield(shield(text).encode()).decode() == expected
