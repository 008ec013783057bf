"""When runs are made: at the start, every interval, by one of several processes, slowly where EMS refuses."""

from __future__ import annotations

import random
import threading
import time
import weakref
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from soap_handler.accounts.accounts import Accounts
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.reconcile_schedule import ReconcileSchedule, interval_conditions, jittered, start_conditions
from soap_handler.journal import Beginning, Journal, Tally
from soap_handler.settings import DeleteSettings, ReconcileSettings
from tests.inbox.reconcile.reconciling import REFERENCE, RIGHT, account, account_settings, beside, message, records
from tests.inbox.servers import Server
from tests.support.events import captured_events
from tests.support.waiting import wait_for, wait_until_let_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.ems import InboxService

QUICK = ReconcileSettings(interval=0.1, timeout=5.0)
SELDOM = ReconcileSettings(interval=1000.0, timeout=5.0)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    wait_for(lambda: set(threading.enumerate()) <= before)


@contextmanager
def rounds(
    journal: Journal,
    url: str,
    settings: ReconcileSettings = QUICK,
    password: str = RIGHT,
    refused_backoff: float = 1000.0,
) -> Iterator[ReconcileSchedule]:
    """Run the rounds of the account."""
    delete = DeleteSettings(refused_backoff=refused_backoff)
    running = ReconcileSchedule([account(url, password)], journal, settings, delete, Connections())
    running.start()
    try:
        yield running
    finally:
        assert running.stop(lambda: 10.0)


def ended(journal: Journal) -> int:
    return sum(run.ended_at is not None for run in journal.reconciliations())


# -- when --


def test_there_is_a_run_at_the_start(journal: Journal, ems: InboxService) -> None:
    """What was missed while the service was off is found at once, not after an interval."""
    ems.mailbox.put(message(1))
    with rounds(journal, ems.url, SELDOM):
        wait_for(lambda: ended(journal) == 1)
    assert len(records(journal)) == 1


def test_a_run_without_news_is_told_at_debug_alone(journal: Journal, ems: InboxService) -> None:
    """A thousand accounts would write a line a second. The first run is told, and each that finds something."""
    with captured_events() as lines, rounds(journal, ems.url):
        wait_for(lambda: ended(journal) == 2)
        ems.mailbox.put(message(1))
        wait_for(lambda: sum(line["event"] == "reconciled" for line in lines) == 2)
        told = [line for line in lines if line["event"].startswith("reconciled")]
    assert told[0]["event"] == "reconciled"
    assert told[1]["event"] == "reconciled_again"
    assert [line["recovered"] for line in told if line["event"] == "reconciled"] == [0, 1]


def test_a_start_soon_after_another_has_a_run_too(journal: Journal, ems: InboxService) -> None:
    """A restart does not rely on a run of before it, even one that its process did not end."""
    with rounds(journal, ems.url, SELDOM):
        wait_for(lambda: ended(journal) == 1)
    assert journal.begin_reconciliation(Beginning(REFERENCE, datetime.now(UTC))) is not None
    ems.mailbox.put(message(1))
    with rounds(journal, ems.url, SELDOM):
        wait_for(lambda: ended(journal) == 2)
    assert len(records(journal)) == 1


def test_runs_go_on_every_interval(journal: Journal, ems: InboxService) -> None:
    """What is missed later is found later."""
    with rounds(journal, ems.url):
        wait_for(lambda: ended(journal) == 2)
        ems.mailbox.put(message(1))
        wait_for(lambda: len(records(journal)) == 1)


def test_an_interval_of_0_is_no_run(journal: Journal, ems: InboxService) -> None:
    """Then there is only the command."""
    before = threading.active_count()
    with rounds(journal, ems.url, ReconcileSettings(interval=0)):
        assert threading.active_count() == before
    assert journal.reconciliations() == []


def test_an_account_without_inbox_has_no_runs(journal: Journal) -> None:
    """There is no inbox to ask."""
    known = Accounts([account_settings("http://127.0.0.1:9/").model_copy(update={"inbox": None})])
    before = threading.active_count()
    running = ReconcileSchedule(known, journal, QUICK, DeleteSettings(), Connections())
    running.start()
    assert threading.active_count() == before
    assert running.stop(lambda: 1.0)


def test_pauses_are_spread_around_the_interval() -> None:
    """By a fifth either way, so that processes that started together do not go on together."""
    rng = random.Random(1)  # noqa: S311 - a test must be repeatable
    pauses = [jittered(100.0, rng) for _ in range(500)]
    assert min(pauses) >= 80
    assert max(pauses) <= 120
    assert max(pauses) - min(pauses) > 38
    assert abs(sum(pauses) / len(pauses) - 100) < 2


# -- several processes --


def test_of_several_processes_one_is_enough(journal: Journal, url: str, ems: InboxService) -> None:
    """A run in its turn is left out when another one ended less than half an interval ago."""
    wait = ReconcileSettings(interval=0.4, timeout=5.0)
    began = time.monotonic()
    with (
        Journal(url) as other,
        rounds(journal, ems.url, wait),
        rounds(other, ems.url, wait),
        rounds(other, ems.url, wait),
    ):
        wait_for(lambda: ended(journal) >= 8)
    most = 3 + (time.monotonic() - began) / (wait.interval / 2)  # three starts, and one in each half interval
    runs = journal.reconciliations()
    assert len(runs) <= most + 1
    in_turn = sorted(run.started_at for run in runs)[3:]
    assert all((later - run).total_seconds() > 0.1 for run, later in pairwise(in_turn))


def test_processes_that_start_together_make_one_run(journal: Journal, url: str) -> None:
    """Of beginnings at one instant the journal lets one through, no matter which process asks."""
    started = datetime.now(UTC)
    with Journal(url) as other:
        numbers: list[int | None] = []
        threads = [
            threading.Thread(
                target=lambda each=each: numbers.append(
                    each.begin_reconciliation(start_conditions(REFERENCE, started, started))
                )
            )
            for each in (journal, other) * 5
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(numbers) == 10
    assert sum(number is not None for number in numbers) == 1


def test_a_run_in_its_turn_waits_for_one_under_way_but_not_for_a_dead_one(journal: Journal) -> None:
    """One that has not ended counts for as long as a run can take, and no longer."""
    settings = ReconcileSettings(interval=300.0, timeout=120.0)
    assert journal.begin_reconciliation(Beginning(REFERENCE, datetime.now(UTC) - timedelta(seconds=170)))
    assert journal.begin_reconciliation(interval_conditions(REFERENCE, settings, datetime.now(UTC))) is None
    assert journal.begin_reconciliation(interval_conditions("EX0000009", settings, datetime.now(UTC))) is not None
    shorter = ReconcileSettings(interval=300.0, timeout=100.0)
    assert journal.begin_reconciliation(interval_conditions(REFERENCE, shorter, datetime.now(UTC))) is not None


def test_a_run_in_its_turn_waits_half_an_interval(journal: Journal, url: str) -> None:
    """A run that ended earlier than that makes none needless."""
    with Journal(url, clock=lambda: datetime.now(UTC) - timedelta(seconds=140)) as earlier:
        number = earlier.begin_reconciliation(Beginning(REFERENCE, datetime.now(UTC) - timedelta(seconds=1000)))
        assert number is not None
        earlier.end_reconciliation(number, Tally(), None)
    now = datetime.now(UTC)
    long, short = ReconcileSettings(interval=300.0), ReconcileSettings(interval=260.0)
    assert journal.begin_reconciliation(interval_conditions(REFERENCE, long, now)) is None
    assert journal.begin_reconciliation(interval_conditions(REFERENCE, short, now)) is not None


def test_a_run_that_is_asked_for_is_never_needless(journal: Journal) -> None:
    """Whatever others do."""
    numbers = [journal.begin_reconciliation(Beginning(REFERENCE, datetime.now(UTC))) for _ in range(3)]
    assert None not in numbers


def test_records_of_runs_stay_until_the_retention_ends(journal: Journal) -> None:
    """A new run deletes none; how long they are kept is a setting, and purging them is up to retention."""
    old = datetime.now(UTC) - timedelta(days=400)
    journal.begin_reconciliation(Beginning(REFERENCE, old))
    journal.begin_reconciliation(Beginning(REFERENCE, datetime.now(UTC)))
    assert len(journal.reconciliations()) == 2


# -- trouble --


def test_a_refused_login_is_told_loudly_and_not_tried_at_speed(journal: Journal, ems: InboxService) -> None:
    """A wrong password that is tried again and again locks the account."""
    with captured_events() as lines, rounds(journal, ems.url, password="wrong"):
        wait_for(lambda: ended(journal) == 1)
        time.sleep(0.5)  # five intervals in which nothing may happen
    assert ems.refused_logins == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("inbox_refused", "error")]


def test_a_login_that_is_accepted_again_goes_on(journal: Journal, ems: InboxService) -> None:
    """After the pause, and at the usual interval."""
    ems.answer_with_fault(5)
    with rounds(journal, ems.url, refused_backoff=0.2):
        wait_for(lambda: ended(journal) == 1)
        ems.restore()
        ems.mailbox.put(message(1))
        wait_for(lambda: len(records(journal)) == 1)


def test_an_inbox_that_is_down_is_tried_in_the_next_interval(journal: Journal, ems: InboxService) -> None:
    """Each failure leaves a record and one warning."""
    ems.outage("server_error", 2)
    ems.mailbox.put(message(1))
    with captured_events() as lines, rounds(journal, ems.url):
        wait_for(lambda: len(records(journal)) == 1)
        wait_for(lambda: ended(journal) >= 3)
    errors = [run.error is not None for run in journal.reconciliations()[::-1][:3]]
    assert errors == [True, True, False]
    assert [line["log_level"] for line in lines if line["event"] == "reconciliation_failed"] == ["warning"] * 2


def test_a_journal_that_is_away_ends_no_rounds(journal: Journal, url: str, ems: InboxService) -> None:
    """When it is back, the runs are too."""
    with beside(url) as connection:
        connection.exec_driver_sql("ALTER TABLE reconciliation RENAME TO elsewhere")
    ems.mailbox.put(message(1))
    with captured_events() as lines, rounds(journal, ems.url):
        wait_for(lambda: any(line["event"] == "reconciliation_failed" for line in lines))
        with beside(url) as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO reconciliation")
        wait_for(lambda: len(records(journal)) == 1)


def test_what_was_not_expected_ends_no_rounds(journal: Journal, ems: InboxService) -> None:
    """It is logged as what it is, and the next round is made."""
    failures = iter([RuntimeError("unexpected")])
    usual = journal.begin_reconciliation

    def fail_once(beginning: Beginning) -> int | None:
        for failure in failures:
            raise failure
        return usual(beginning)

    journal.begin_reconciliation = fail_once  # type: ignore[method-assign] # such a failure cannot be had otherwise
    with captured_events() as lines, rounds(journal, ems.url):
        wait_for(lambda: ended(journal) >= 1)
    assert [line["log_level"] for line in lines if line["event"] == "reconciliation_broke"] == ["error"]


def test_a_stop_does_not_wait_for_an_inbox_that_says_nothing(journal: Journal) -> None:
    """Nothing is lost by leaving the call, and its record has an end: no other process takes it to be under way."""
    with Server(lambda _, connection: connection.say_nothing()) as server:
        running = ReconcileSchedule([account(server.url)], journal, SELDOM, DeleteSettings(), Connections())
        running.start()
        wait_for(lambda: len(server.calls) == 1)
        began = time.monotonic()
        assert running.stop(lambda: 30.0)
        assert time.monotonic() - began < 5
        assert [run.error for run in journal.reconciliations()] == ["stopped before the end"]
        assert ended(journal) == 1
    wait_for(lambda: not any(thread.name.startswith("reconciliation") for thread in threading.enumerate()))


def test_stopping_what_was_never_started_is_nothing(journal: Journal) -> None:
    """A program that fails while it starts stops everything all the same."""
    assert ReconcileSchedule([account("http://127.0.0.1:9/")], journal, QUICK, DeleteSettings(), Connections()).stop(
        lambda: 1.0
    )


# -- reload --


def test_a_new_login_is_taken_up_with_a_run(journal: Journal, ems: InboxService) -> None:
    """After a wrong password was replaced, the end of a pause is not waited for."""
    ems.mailbox.put(message(1))
    with rounds(journal, ems.url, SELDOM, password="wrong") as running:
        wait_for(lambda: ended(journal) == 1)
        running.change(running.prepare([account(ems.url)], SELDOM, DeleteSettings(refused_backoff=1000.0)))
        wait_for(lambda: len(records(journal)) == 1)


def test_what_stays_as_it_is_goes_on(journal: Journal, ems: InboxService) -> None:
    """The same accounts and settings are no reason for a run; no account is the end of its runs."""
    with rounds(journal, ems.url, SELDOM) as running:
        wait_for(lambda: ended(journal) == 1)
        [known] = running
        running.change(running.prepare([account(ems.url)], SELDOM, DeleteSettings(refused_backoff=1000.0)))
        assert list(running) == [known]
        old = weakref.ref(known)
        del known
        running.change(running.prepare([], SELDOM, DeleteSettings()))
        assert list(running) == []
        wait_until_let_go(old)
        assert ended(journal) == 1
