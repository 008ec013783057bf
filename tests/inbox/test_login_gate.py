"""One gate for the login of an inbox: whichever process or host asks, and whatever was restarted in between."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from soap_handler.ems import InboxService
from soap_handler.errors import JournalUnavailableError
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.login_gate import LoginGate
from soap_handler.inbox.reconcile_schedule import ReconcileSchedule
from soap_handler.journal import Journal, State
from soap_handler.settings import DeleteSettings, InboxSettings, ReconcileSettings
from tests.inbox.deleting import (
    ACCOUNT,
    EMS,
    SLOW,
    account_of,
    all_done,
    deleters_of,
    deleting,
    errors,
    handle,
    message,
    records,
)
from tests.inbox.servers import settings
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_INBOX: Final = InboxSettings(url="http://127.0.0.1:9/", username="someone", password=SecretStr("secret"))
_DELETE: Final = DeleteSettings(refused_backoff=600)
_CALL: Final = timedelta(seconds=30)


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clocked(url: str, clock: Clock) -> Iterator[Journal]:
    with Journal(url, clock=clock) as journal:
        yield journal


def gate_of(journal: Journal, inbox: InboxSettings = _INBOX, delete: DeleteSettings = _DELETE) -> LoginGate:
    return LoginGate(ACCOUNT, inbox, journal, delete, _CALL)


def refuse(gate: LoginGate) -> None:
    assert gate.enter() == 0
    gate.refused("HTTP 401")
    gate.tell()


CORRECTED: Final = _INBOX.model_copy(update={"password": SecretStr("corrected")})


def test_one_tries_a_login_for_the_first_time_and_the_others_wait(clocked: Journal, clock: Clock) -> None:
    """Until it is known whether EMS accepts it, or the one who tries has died."""
    first, second, third = (gate_of(clocked) for _ in range(3))
    assert (first.enter(), second.enter()) == (0, 30)
    first.accepted()
    first.tell()
    assert (second.enter(), clocked.gates.closed()[0].refusals) == (0, 0)
    clock.advance(31)
    assert third.enter() == 0, "the second one died"


def test_a_call_that_found_out_nothing_leaves_the_trial_to_the_next(clocked: Journal) -> None:
    """An inbox that is down, or a call that was not made, says nothing about the login."""
    first, second = gate_of(clocked), gate_of(clocked)
    assert first.enter() == 0
    assert first.failed() is None
    first.tell()
    assert second.enter() == 0


def test_what_is_accepted_costs_no_write(clocked: Journal) -> None:
    """Afterwards a call is made without another look at who else makes one."""
    first, second = gate_of(clocked), gate_of(clocked)
    assert first.enter() == 0
    first.accepted()
    first.tell()
    assert second.enter() == 0
    assert first.enter() == 0, "another one tries it for the first time, which is no reason to wait"


def test_refusals_double_the_pause_up_to_an_hour_for_all(clocked: Journal, clock: Clock) -> None:
    """A person may take a night to look; until then EMS hears from all of us together once an hour."""
    gates = [gate_of(clocked), gate_of(clocked)]
    pauses: list[float] = []
    for number in range(6):
        refuse(gates[number % 2])
        waits = {gate.enter() for gate in gates}
        assert len(waits) == 1
        pauses += waits
        clock.advance(pauses[-1])
    assert pauses == [600, 1200, 2400, 3600, 3600, 3600]


def test_a_pause_that_is_set_longer_than_an_hour_is_kept(clocked: Journal) -> None:
    """The hour is a limit to the doubling, not to what the settings say."""
    gate = gate_of(clocked, delete=DeleteSettings(refused_backoff=7200))
    refuse(gate)
    assert gate.enter() == 7200


def test_when_the_pause_is_over_one_finds_out(clocked: Journal, clock: Clock) -> None:
    """The others go on waiting, and a restart does not begin anew."""
    refuse(gate_of(clocked))
    clock.advance(600)
    first, second = gate_of(clocked), gate_of(clocked)
    assert (first.enter(), first.login_refused) == (0, True)
    assert (second.enter(), second.login_refused) == (30, True)
    first.refused("HTTP 401")
    first.tell()
    assert second.enter() == 1200


def test_a_failure_does_not_end_a_pause(clocked: Journal, clock: Clock) -> None:
    """An inbox that is down says nothing about our password: try as slowly as before."""
    gate = gate_of(clocked)
    refuse(gate)
    clock.advance(600)
    assert gate.enter() == 0
    assert gate.failed() == 600
    gate.tell()
    assert (gate.enter(), gate_of(clocked).enter()) == (600, 600)


def test_a_success_opens_it_for_all_and_is_said_once(clocked: Journal, clock: Clock) -> None:
    """A refusal is an error in the log, since a person must act; so the end of it is worth a line too."""
    gate, other = gate_of(clocked), gate_of(clocked)
    with captured_events() as lines:
        refuse(gate)
        clock.advance(600)
        assert gate.enter() == 0
        gate.accepted()
        gate.tell()
        assert other.enter() == 0
        other.accepted()
    assert [(line["log_level"], line["event"], line["account"]) for line in lines] == [
        ("error", "inbox_refused", ACCOUNT),
        ("info", "inbox_accepted_again", ACCOUNT),
    ]


@pytest.mark.parametrize("change", [{"password": SecretStr("other")}, {"username": "x"}, {"url": "http://localhost/"}])
def test_a_corrected_login_is_tried_at_once(clocked: Journal, change: dict[str, object]) -> None:
    """What was refused is the login, not the account: any part of it may have been wrong."""
    refuse(gate_of(clocked))
    with captured_events() as lines:
        assert gate_of(clocked, _INBOX.model_copy(update=change)).enter() == 0
    assert [line["event"] for line in lines] == ["inbox_login_corrected"]
    assert [gate.refusals for gate in clocked.gates.closed()] == [0]


def test_a_pause_of_a_clock_that_was_wrong_is_over(clocked: Journal, clock: Clock) -> None:
    """A gate that opens in two days was never closed for two days."""
    clock.advance(2 * 86400)
    refuse(gate_of(clocked))
    clock.advance(-2 * 86400)
    assert gate_of(clocked).enter() == 0


def test_the_journal_holds_no_login(clocked: Journal) -> None:
    """Only a slow, salted hash of it: two accounts with one password cannot be told from others."""
    refuse(gate_of(clocked))
    [gate] = clocked.gates.closed()
    assert gate.login is not None
    assert gate.login.startswith("$scrypt$ln=14,")
    assert "secret" not in repr(gate)


def test_a_refusal_that_could_not_be_told_is_told_before_the_next_call(
    clocked: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the journal is out of reach no call is made with a login that EMS has just refused."""
    gate = gate_of(clocked)
    assert gate.enter() == 0
    gate.refused("HTTP 401")
    with monkeypatch.context() as patched:
        patched.setattr(clocked.committer, "submit", _out_of_reach)
        with pytest.raises(JournalUnavailableError):
            gate.tell()
        with pytest.raises(JournalUnavailableError):
            gate.enter()
    assert gate.enter() == 600


def _out_of_reach(*_: object) -> None:
    raise JournalUnavailableError("disk full")


# -- with deletes and reconciliations --------------------------------------------------------------------------------


def test_four_processes_with_a_wrong_password_are_refused_once(url: str) -> None:
    """Deletes and reconciliations of all of them share one gate, over a restart too."""
    with Journal(url) as journal, InboxService([EMS]) as ems:
        handle(journal, range(5))
        wrong = settings(ems.url, secret="wrong")
        for _ in range(2):
            parts = [(deleters_of(each, wrong, SLOW), _runs(each, wrong)) for each in [journal] * 4]
            for deleters, runs in parts:
                deleters.start()
                runs.start()
            wait_for(lambda: journal.gates.closed() and journal.gates.closed()[0].refusals == 1)
            threading.Event().wait(0.3)  # in which seven more would be made
            for deleters, runs in parts:
                assert runs.stop(lambda: 10.0)
                assert deleters.stop(lambda: 10.0)
        assert ems.refused_logins == 1


def _runs(journal: Journal, inbox: InboxSettings) -> ReconcileSchedule:
    return ReconcileSchedule(
        [account_of(inbox)], journal, ReconcileSettings(interval=0.1, timeout=5.0), SLOW, Connections()
    )


def test_a_corrected_login_frees_the_refused_deletes_at_once(journal: Journal) -> None:
    """After a restart as after a reload: they do not wait for the end of a pause that the old login brought."""
    handle(journal, range(3))
    with InboxService([EMS]) as ems:
        ems.mailbox.put(message(0))
        with deleting(journal, settings(ems.url, secret="wrong"), SLOW):
            wait_for(lambda: len(errors(journal)) == 3)
        with deleting(journal, settings(ems.url), SLOW):
            wait_for(all_done(journal, 3), seconds=5)
        assert ems.refused_logins == 1
    assert journal.gates.closed() == []


def test_a_person_opens_a_gate_and_frees_what_waits(journal: Journal) -> None:
    """The account is live again: nothing in the settings has changed, and a person need not wait an hour."""
    handle(journal, range(3))
    with InboxService([EMS]) as ems:
        ems.answer_with_fault(5)
        with deleting(journal, settings(ems.url), SLOW):
            wait_for(lambda: len(errors(journal)) == 3)
            wait_for(lambda: len(records(journal, State.HANDLED)) == 3)
            ems.restore()
            assert journal.gates.open(ACCOUNT) == 3
            wait_for(all_done(journal, 3), seconds=5)
