"""Passwords as scrypt hashes, and accounts of which only hashes are known."""

from __future__ import annotations

import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts, Credentials
from soap_handler.accounts.passwords import PasswordHash, hash_password, is_foreign_hash, is_hash
from soap_handler.errors import AuthenticationError
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


def refused(accounts: Accounts, credentials: Credentials | None, *, may: bool = True) -> bool:
    try:
        accounts.authenticate(credentials, lambda: may)
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
    accounts.authenticate(RIGHT, lambda: False)
    assert checks.count == 2


def test_what_must_not_be_checked_is_refused_unchecked(checks: Checks) -> None:
    """Over the budget nothing costly is done, and nothing is let in by that."""
    accounts = Accounts([HASHED])
    assert refused(accounts, RIGHT, may=False)
    assert refused(accounts, WRONG, may=False)
    assert checks.count == 0


def test_every_refusal_takes_the_same_number_of_checks(checks: Checks) -> None:
    """Unknown accounts, missing headers and accounts with plain passwords cannot be told apart by their cost."""
    accounts = Accounts([account("EX1", ("ems", RFC_7914), ("ems", hash_password("x"))), PLAIN])
    costs = set()
    for credentials in (WRONG, Credentials("a", "b", "EX2"), Credentials("a", "b", "nobody"), None):
        before = checks.count
        assert refused(accounts, credentials)
        costs.add(checks.count - before)
    assert costs == {2}


def test_few_checks_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many guess at the same moment, threads are left for those who are known."""
    gate, running, most, lock = threading.Event(), 0, 0, threading.Lock()

    def slow(_self: PasswordHash, _password: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(10)
        with lock:
            running -= 1
        return False

    monkeypatch.setattr(PasswordHash, "verify", slow)
    accounts = Accounts([HASHED])
    threads = [threading.Thread(target=refused, args=(accounts, WRONG)) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(thread.is_alive() for thread in threads) <= 2)
    gate.set()
    for thread in threads:
        thread.join()
    assert most <= 2
    assert accounts.refused == 8


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
