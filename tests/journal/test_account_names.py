"""A renamed account: what is waiting or done under its former name is known, and is handled once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from soap_handler.journal import Beginning, Entry, Journal, Refusal, Selection, State, Trace, adopt
from soap_handler.journal.account_names import KNOWN
from soap_handler.notifications import MessageEvent, SubscriptionEvent
from tests.journal.earlier import taken_back
from tests.journal.entries import LEASE, START, Clock, ended, message

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

OLD = "EX0000001"
NUMBER = "447700900123"


class Named(NamedTuple):
    reference: str
    aliases: tuple[str, ...] = ()


NEW = {
    "renamed": Named("Sales & Co", (OLD, "447700900999")),
    "swapped": Named("447700900999", (OLD,)),
    "in other letters": Named("ex0000001"),
}
FOR_ALL = pytest.mark.parametrize("account", NEW.values(), ids=NEW.keys())

TOLD: tuple[Notification, ...] = (
    message(1, OLD),
    MessageEvent(account=OLD, id=message(2).id, occurred_at=START),
    SubscriptionEvent(account=OLD, mobile_number=NUMBER, contact_id="c", occurred_at=START),
    replace(message(3, OLD), id=""),
    replace(message(4, OLD), digest="0123456789abcdef" * 2),
)


def under(reference: str) -> list[Notification]:
    return [replace(each, account=reference) for each in TOLD]


@FOR_ALL
@pytest.mark.parametrize("state", [State.RECEIVED, State.DONE])
def test_what_came_under_a_former_name_is_known(journal: Journal, account: Named, state: State) -> None:
    """Waiting or done, with an id or known by its content: another push or the inbox copy is a duplicate."""
    adopt(journal, [Named(OLD, account.aliases)])
    assert all(journal.record_all([Entry(each, START) for each in TOLD]))
    if state is State.DONE:
        journal.settle([ended(claim, state) for claim in journal.claim(9, LEASE)])
    assert adopt(journal, [account, Named("EX0000009")]) == len(TOLD)
    assert not any(journal.record_all([Entry(each, START) for each in under(account.reference)]))
    records = journal.records(Selection(account=account.reference))
    assert [each.notification for each in reversed(records)] == under(account.reference)
    assert {each.state for each in records} == {state}
    assert adopt(journal, [account, Named("EX0000009")]) == 0


def test_it_is_handled_once_and_leaves_the_inbox_under_its_present_name(journal: Journal) -> None:
    """A handler, the order of an originator and the deletes know the present name alone."""
    adopt(journal, [Named(OLD)])
    journal.record(Entry(message(1, OLD), START))
    (running,) = journal.claim(9, LEASE)
    adopt(journal, [NEW["renamed"]])
    assert journal.settle([ended(running, State.HANDLED, journal.queue_now())]) == [True]
    assert journal.claim_deletions(OLD, 9) == []
    (deletion,) = journal.claim_deletions("Sales & Co", 9)
    journal.settle_deleted([deletion])
    assert not journal.record(Entry(message(1, "Sales & Co"), START))


def test_what_came_under_both_names_is_handled_once(journal: Journal) -> None:
    """Nothing is removed: the row that waits under the former name is done, and its history says why."""
    adopt(journal, [Named(OLD)])
    adopt(journal, [NEW["renamed"]])
    journal.record_all([Entry(message(1, name), START) for name in ("Sales & Co", OLD)])
    assert adopt(journal, [NEW["renamed"]]) == 1
    assert [claim.account for claim in journal.claim(9, LEASE)] == ["Sales & Co"]
    (known,) = journal.records(Selection(state=State.DONE))
    assert [line.outcome for line in journal.history(known.seq)] == [KNOWN]


def test_back_and_forth(journal: Journal) -> None:
    """However often a name changes, and with rows of each time."""
    names = [Named(OLD, ("Sales & Co",)), NEW["renamed"]] * 2
    for number, account in enumerate(names):
        adopt(journal, [account])
        assert journal.record(Entry(message(number, account.reference), START))
        for before in range(number):
            assert not journal.record(Entry(message(before, account.reference), START))


def test_many_rows_and_several_processes(url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """All who start at once may do it; each row is rewritten once."""
    monkeypatch.setattr("soap_handler.journal.account_names.ROWS_PER_STEP", 7)
    with Journal(url, clock=clock) as first, Journal(url, clock=clock) as second:
        adopt(first, [Named(OLD)])
        first.record_all([Entry(message(number, OLD), START) for number in range(60)])
        with ThreadPoolExecutor(2) as threads:
            counts = list(threads.map(lambda journal: adopt(journal, [NEW["renamed"]]), (first, second)))
        assert sum(counts) == 60
        assert len(first.records(Selection(account="Sales & Co"))) == 60


def test_an_erased_row_stays_known(journal: Journal) -> None:
    """A tombstone with an id is one under the present name too."""
    adopt(journal, [Named(OLD)])
    journal.record(Entry(message(1, OLD, NUMBER), START))
    journal.erasures.erase(Trace(NUMBER))
    adopt(journal, [NEW["renamed"]])
    assert not journal.record(Entry(message(1, "Sales & Co", NUMBER), START))


def test_runs_and_gates_go_with_the_account(journal: Journal) -> None:
    """The runs are those of the present name; a refused login is tried once more."""
    adopt(journal, [Named(OLD)])
    journal.begin_reconciliation(Beginning(OLD, START))
    journal.gates.refuse(Refusal(OLD, 1, START + timedelta(hours=1), "hash", "no"))
    adopt(journal, [NEW["renamed"]])
    assert [run.account for run in journal.reconciliations("Sales & Co")] == ["Sales & Co"]
    assert journal.gates.closed() == []


def test_rows_of_an_earlier_release_are_found(url: str, clock: Clock) -> None:
    """The migration notes the names that there are; keys stay as they were where nothing is renamed."""
    with Journal(url, clock=clock) as journal:
        journal.record_all([Entry(each, START) for each in TOLD])
    taken_back(url, "0009")
    with Journal(url, clock=clock) as journal:
        assert adopt(journal, [Named(OLD)]) == 0
        assert not any(journal.record_all([Entry(each, START) for each in TOLD]))
        assert adopt(journal, [NEW["renamed"]]) == len(TOLD)
        assert not any(journal.record_all([Entry(each, START) for each in under("Sales & Co")]))


def test_another_accounts_rows_stay(journal: Journal) -> None:
    """A name that no account bears is left alone, and so is that of another account."""
    adopt(journal, [Named(OLD), Named("EX0000009")])
    journal.record_all([Entry(message(1, name), START) for name in (OLD, "EX0000009", "EX0000008")])
    assert adopt(journal, [NEW["renamed"], Named("EX0000009")]) == 1
    found = {record.account for record in journal.records(Selection())}
    assert found == {"Sales & Co", "EX0000009", "EX0000008"}
