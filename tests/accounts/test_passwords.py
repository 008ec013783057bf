"""Passwords as scrypt hashes, and accounts of which only hashes are known."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.authentication import Credentials
from soap_handler.accounts.equal_work import EqualWork
from soap_handler.accounts.passwords import PasswordHash, hash_password, is_foreign_hash, is_hash
from soap_handler.accounts.slow_checks import SlowChecks
from soap_handler.accounts.verifiers import HashVerifier
from soap_handler.errors import AuthenticationError, CredentialsUncheckedError
from soap_handler.settings import AccountSettings, PushCredentials
from tests.support.waiting import wait_for

# RFC 7914, section 12: scrypt of "pleaseletmein" with "SodiumChloride", N=16384, r=8, p=1.
RFC_7914 = (
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
    "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"
)


def test_a_known_hash_is_verified() -> None:
    """The text form means what every scrypt means by it."""
    known = PasswordHash.parse(RFC_7914)
    assert known.verify("pleaseletmein")
    assert not known.verify("pleaseletmeout")
    assert str(known) == RFC_7914


def test_a_hash_that_is_made_is_read_back_and_salted() -> None:
    """Two hashes of one password differ, and both know it."""
    first, second = hash_password("s3cret"), hash_password("s3cret")
    assert first != second
    assert is_hash(first)
    assert PasswordHash.parse(first).verify("s3cret")
    assert not PasswordHash.parse(second).verify("S3cret")


@settings(max_examples=25)
@given(st.text(alphabet=st.characters(exclude_categories=())), st.text())
@example("", "\0")
def test_any_text_is_a_password(password: str, other: str) -> None:
    """Half an emoji, NUL and nothing at all are hashed like anything else; NULs at the end do not count."""
    hashed = PasswordHash.of(password, ln=2)
    assert hashed.verify(password)
    assert other.rstrip("\0") == password.rstrip("\0") or not hashed.verify(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$scrypt$",
        "$scrypt$ln=14,r=8,p=1$salt$digest",
        RFC_7914 + "\n",
        RFC_7914[:-70],
        RFC_7914.replace("ln=14", "ln=18"),
        RFC_7914.replace("ln=14", "ln=99"),
        RFC_7914.replace("ln=14", "ln=0"),
        RFC_7914.replace("p=1", "p=99"),
        RFC_7914.replace("r=8", "r=0"),
        RFC_7914.replace("$U29kaX", "$U29k"),
    ],
)
def test_other_texts_are_no_hashes(text: str) -> None:
    """What is cut short, or would take a server's memory or time to check, is refused when it is read."""
    with pytest.raises(ValueError, match=r"scrypt|hash"):
        PasswordHash.parse(text)


def test_hashes_of_other_kinds_are_told_from_passwords() -> None:
    """A bcrypt hash in the place of a password is meant as one; one that only looks a little like it is a password."""
    assert is_foreign_hash("$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW")
    assert is_foreign_hash("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b9dWRWJTmaaJObG")
    assert not is_foreign_hash("$2b$ or not 2b")
    assert not is_foreign_hash("plain")


def test_no_digest_shows() -> None:
    """Neither salt nor digest is in a repr."""
    assert "salt" not in repr(PasswordHash.parse(RFC_7914))
    assert "digest" not in repr(PasswordHash.parse(RFC_7914))


# -- accounts --------------------------------------------------------------------------------------------------------


def account(reference: str = "EX1", *pairs: tuple[str, str]) -> AccountSettings:
    push = tuple(PushCredentials(username=name, password=SecretStr(password)) for name, password in pairs)
    return AccountSettings(reference=reference, push=push)


HASHED = account("EX1", ("ems", RFC_7914))
PLAIN = account("EX2", ("ems", "plain"))
RIGHT = Credentials("ems", "pleaseletmein", "EX1")
WRONG = Credentials("ems", "guess", "EX1")


class Checks:
    """Counts the slow checks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._real = PasswordHash.verify
        monkeypatch.setattr(PasswordHash, "verify", self._counting)

    def _counting(self, password: str) -> bool:
        self.count += 1
        return password == "pleaseletmein"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


def refused(accounts: Accounts, credentials: Credentials | None) -> bool:
    try:
        accounts.authenticate(credentials)
    except AuthenticationError:
        return True
    return False


def test_a_hashed_password_is_accepted_in_place_of_a_plain_one() -> None:
    """EMS presents the password; the settings hold its hash."""
    accounts = Accounts([HASHED, PLAIN])
    assert accounts.authenticate(RIGHT).reference == "EX1"
    assert accounts.authenticate(Credentials("ems", "plain", "EX2")).reference == "EX2"
    assert refused(accounts, WRONG)
    assert refused(accounts, Credentials("other", "pleaseletmein", "EX1"))
    assert refused(accounts, Credentials("ems", RFC_7914, "EX1")), "the hash itself opens nothing"


def test_the_right_pair_is_costly_only_once(checks: Checks) -> None:
    """After the first success a request takes no longer than with a plain password."""
    accounts = Accounts([HASHED])
    for _ in range(50):
        accounts.authenticate(RIGHT)
    assert checks.count == 1
    assert refused(accounts, WRONG)
    assert checks.count == 2
    accounts.authenticate(RIGHT, lambda _: False)
    assert checks.count == 2


def test_a_wrong_pair_is_costly_only_once(checks: Checks) -> None:
    """An EMS that has an old password, or a guesser who repeats himself, costs one hash."""
    accounts = Accounts([HASHED])
    for _ in range(50):
        assert refused(accounts, WRONG)
    assert checks.count == 1
    assert refused(accounts, Credentials("ems", "guess", "EX9")), "the same pair for another account is another one"
    assert checks.count == 2


def test_what_must_not_be_checked_is_neither_right_nor_wrong(checks: Checks) -> None:
    """Over the budget nothing costly is done, nothing is let in by that, and nothing is called wrong or counted."""
    accounts = Accounts([HASHED])
    for credentials in (RIGHT, WRONG):
        with pytest.raises(CredentialsUncheckedError) as caught:
            accounts.authenticate(credentials, lambda _: False)
        assert caught.value.delayed
    assert (checks.count, accounts.refused) == (0, 0)


def test_equal_pairs_in_flight_share_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen right pushes at once after a start: one hash, sixteen times right."""
    gate, begun = threading.Event(), []

    def slow(_self: PasswordHash, password: str) -> bool:
        begun.append(password)
        gate.wait(10)
        return password == "pleaseletmein"

    monkeypatch.setattr(PasswordHash, "verify", slow)
    accounts = Accounts([HASHED])
    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(refused, accounts, RIGHT) for _ in range(16)]
        wait_for(lambda: begun)
        gate.set()
        assert not any(answer.result(10) for answer in answers)
    assert begun == ["pleaseletmein"]


def test_pairs_that_differ_wait_for_their_turn() -> None:
    """The right pairs of more accounts than are checked at once are all found right."""
    checks = SlowChecks()

    def slow() -> bool:
        return not Event().wait(0.02)

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(checks.check, b"%d" % number, lambda _: True, slow) for number in range(8)]
        assert all(answer.result(10) for answer in answers)


def test_a_queue_that_is_full_is_no_refusal() -> None:
    """What cannot even wait is not called wrong; the caller comes again."""
    checks, gate = SlowChecks(), threading.Event()
    with ThreadPoolExecutor(10) as threads:
        waiting = [threads.submit(checks.check, b"%d" % number, lambda _: True, gate.wait) for number in range(10)]
        wait_for(lambda: checks.queued == 8)
        with pytest.raises(CredentialsUncheckedError) as caught:
            checks.check(b"one more", lambda _: True, gate.wait)
        assert not caught.value.delayed
        gate.set()
        assert all(each.result(10) for each in waiting)


def test_hashes_of_other_costs_cost_the_same_everywhere() -> None:
    """An account whose hash is dearer than usual cannot be told from an unknown one by the time of a refusal."""
    dear = str(PasswordHash(15, 8, 1, b"salt" * 4, b"digest" * 4))
    own = [[HashVerifier("ems", PasswordHash.parse(RFC_7914))], [HashVerifier("ems", PasswordHash.parse(dear))], []]
    work = EqualWork(own)
    costs = [
        sorted(one.costs for one in verifiers if isinstance(one, HashVerifier))
        for verifiers in (*map(work.padded, own), work.decoys)
    ]
    assert costs == [[(14, 8, 1), (15, 8, 1)]] * 4


def test_every_refusal_takes_the_same_number_of_checks(checks: Checks) -> None:
    """Unknown accounts, missing headers and accounts with plain passwords cannot be told apart by their cost."""
    accounts = Accounts([account("EX1", ("ems", RFC_7914), ("ems", hash_password("x"))), PLAIN])
    costs = set()
    for credentials in (WRONG, Credentials("a", "b", "EX2"), Credentials("a", "b", "nobody"), None):
        before = checks.count
        assert refused(accounts, credentials)
        costs.add(checks.count - before)
    assert costs == {2}


def test_few_checks_run_at_once() -> None:
    """However many guess at the same moment, the machine is left to those who are known."""
    gate, running, most, lock = threading.Event(), 0, 0, threading.Lock()

    def slow() -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(10)
        with lock:
            running -= 1
        return False

    checks = SlowChecks()
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(checks.check, b"%d" % number, lambda _: True, slow) for number in range(8)]
        wait_for(lambda: checks.queued == 6)
        gate.set()
        assert not any(answer.result(10) for answer in answers)
    assert most == 2


def test_what_was_proved_stays_so_across_a_change(checks: Checks) -> None:
    """New settings with the same pair need no new check; the count of refusals goes on; a removed pair is out."""
    first = Accounts([HASHED, PLAIN])
    first.authenticate(RIGHT)
    assert refused(first, Credentials("ems", "other", "EX2"))
    count = checks.count
    second = Accounts([HASHED], first)
    second.authenticate(RIGHT)
    assert (checks.count, second.refused) == (count, 1)
    third = Accounts([account("EX1", ("ems", "rotated"))], second)
    assert refused(third, RIGHT)
    assert third.authenticate(Credentials("ems", "rotated", "EX1"))
