"""The gates of the inboxes and the next deletes, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from soap_handler.journal import Entry, Journal, Refusal, Settlement, State, Step
from soap_handler.notifications import MessageReceived

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


def handled(journal: Journal, accounts: list[str]) -> list[datetime]:
    """Bring a message of each account to where its handler has returned; return when their deletes are due."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number, account in enumerate(accounts):
        told = MessageReceived(account=account, id=f"{number}", originator="447700900123", recipient="447786204254")
        journal.record(Entry(told, now))
    due = []
    for number, claim in enumerate(sorted(journal.claim(100, MINUTE), key=lambda claim: claim.seq)):
        due.append(now + number * MINUTE)
        journal.settle([Settlement(claim, Step.HANDLE, State.HANDLED, due[-1], now, now)])
    return due


def test_of_many_that_come_at_once_one_enters(url: str) -> None:
    """Processes that begin together do not each try a login whose password may be wrong."""
    with Journal(url) as first, Journal(url) as second, ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit((first, second)[number % 2].gates.enter, "EX1", f"{number}", MINUTE, HOUR)
            for number in range(8)
        ]
        seconds = sorted(each.result(20).seconds for each in asked)
        assert seconds[0] == 0
        assert all(0 < each <= 61 for each in seconds[1:])  # each one's clock is read before it waits for its turn
        assert first.gates.enter("EX2", "1", MINUTE, HOUR).seconds == 0, "accounts do not concern each other"


def test_a_refusal_closes_the_gate_for_all_and_a_success_opens_it(url: str) -> None:
    """Also for a journal that is opened later, as by a restart."""
    with Journal(url) as journal:
        journal.gates.refuse(Refusal("EX1", 3, journal.gates.moment_in(600), "hash", "HTTP 401"))
    with Journal(url) as journal:
        entered = journal.gates.enter("EX1", "1", MINUTE, HOUR)
        assert (0 < entered.seconds <= 600, entered.refusals) == (True, 3)
        [gate] = journal.gates.closed("EX1")
        assert (gate.refusals, gate.login, gate.reason) == (3, "hash", "HTTP 401")
        journal.gates.accept("EX1")
        assert journal.gates.closed() == []


def test_another_login_is_let_through_and_frees_what_waits_for_it(url: str) -> None:
    """Of this account only."""
    with Journal(url) as journal:
        due = handled(journal, ["EX1", "EX1", "EX2", "EX2"])
        journal.gates.refuse(Refusal("EX1", 3, journal.gates.moment_in(600), "hash", "HTTP 401"))
        assert not journal.gates.enter("EX1", "1", MINUTE, HOUR, "another hash").corrected
        assert journal.gates.enter("EX1", "1", MINUTE, HOUR, "hash").corrected
        assert len(journal.claim_deletions("EX1", 100)) == 2
        assert journal.claim_deletions("EX2", 100) == []
        assert journal.next_deletions()["EX2"] == due[2]
        assert journal.gates.open() == 2
        assert len(journal.claim_deletions("EX2", 100)) == 2


def test_only_the_one_who_entered_leaves_or_prolongs(url: str) -> None:
    """One who was late does not open or close the gate of another."""
    with Journal(url) as journal, Journal(url) as other:
        assert journal.gates.enter("EX1", "1", MINUTE, HOUR).seconds == 0
        other.gates.leave("EX1", "1")
        assert len(journal.gates.closed()) == 1
        journal.gates.leave("EX1", "1")
        assert journal.gates.closed() == []
        until = journal.gates.moment_in(-1)
        journal.gates.refuse(Refusal("EX1", 1, until, "hash", "HTTP 401"))
        assert journal.gates.enter("EX1", "1", MINUTE, HOUR).seconds == 0
        other.gates.prolong("EX1", "1", journal.gates.moment_in(3000))
        assert journal.gates.closed()[0].retry_at < journal.gates.moment_in(120)
        journal.gates.prolong("EX1", "1", journal.gates.moment_in(3000))
        assert journal.gates.closed()[0].retry_at > journal.gates.moment_in(120)


def test_the_next_delete_of_each_account_is_found_at_once(url: str) -> None:
    """The earliest of each; an account with nothing to delete is not there."""
    with Journal(url) as journal:
        assert journal.next_deletions() == {}
        due = handled(journal, ["EX3", "EX1", "EX3", "EX2", "EX1"])
        assert journal.next_deletions() == {"EX1": due[1], "EX2": due[3], "EX3": due[0]}
