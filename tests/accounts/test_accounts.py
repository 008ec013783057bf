from __future__ import annotations

import hmac
import threading
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.authentication import Credentials
from soap_handler.errors import AuthenticationError
from soap_handler.settings import AccountSettings, PushCredentials


def pair(username: str, password: str) -> PushCredentials:
    return PushCredentials(username=username, password=SecretStr(password))


GUARDED = AccountSettings(
    reference="EX0012345",
    aliases=("447700900001",),
    push=(pair("ems", "old"), pair("ems2", "new")),
    time_zone="Europe/London",
)
OTHER = AccountSettings(reference="EX0067890", push=(pair("other", "word"),))
OPEN = AccountSettings(reference="EX0099999", anonymous=True)
ALL = Accounts([GUARDED, OTHER, OPEN])


def refused(accounts: Accounts, credentials: Credentials | None) -> bool:
    before = accounts.refused
    try:
        accounts.authenticate(credentials)
    except AuthenticationError as error:
        return (str(error), accounts.refused) == ("Authentication failed", before + 1)
    return accounts.refused != before


@pytest.mark.parametrize(("username", "password"), [("ems", "old"), ("ems2", "new")])
def test_each_of_several_pairs_is_accepted(username: str, password: str) -> None:
    """While a password is replaced, the old pair and the new one are valid."""
    assert ALL.authenticate(Credentials(username, password, "EX0012345")).reference == "EX0012345"


@pytest.mark.parametrize("name", ["EX0012345", "ex0012345", " EX0012345\n", "447700900001"])
def test_an_account_has_two_names(name: str) -> None:
    """Reference and alias lead to the same account; letter case and outer white space do not count."""
    found = ALL.get(name)
    assert found is not None
    assert found is ALL.authenticate(Credentials("ems", "old", name))
    assert (found.reference, found.time_zone) == ("EX0012345", ZoneInfo("Europe/London"))


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("ems", "new", "EX0012345"),
        Credentials("ems2", "old", "EX0012345"),
        Credentials("EMS", "old", "EX0012345"),
        Credentials("ems ", "old", "EX0012345"),
        Credentials("ems", "OLD", "EX0012345"),
        Credentials("ems", "", "EX0012345"),
        Credentials("", "", "EX0012345"),
        Credentials("ems", "old\ud83d", "EX0012345"),
        Credentials("other", "word", "EX0012345"),
        Credentials("ems", "old", "EX0000000"),
        Credentials("ems", "old", ""),
        None,
    ],
)
def test_anything_else_is_refused_in_the_same_words(credentials: Credentials | None) -> None:
    """Crossed pairs, other letter case, other accounts, no account and no header: one answer, each counted."""
    assert refused(ALL, credentials)


@given(st.text(), st.text(), st.text())
def test_no_text_is_accepted_by_chance_or_breaks_the_check(username: str, password: str, account: str) -> None:
    """Whatever the three values are, the answer is an account or a refusal."""
    guarded = Accounts([GUARDED])
    valid = (username, password) in {("ems", "old"), ("ems2", "new")} and guarded.get(account) is not None
    assert refused(guarded, Credentials(username, password, account)) is not valid


def test_an_anonymous_account_takes_any_password_under_its_own_name() -> None:
    """Anonymous means that nothing but the account's name is checked."""
    assert ALL.authenticate(Credentials("", "whatever", "ex0099999")).anonymous


def test_no_header_is_enough_for_a_single_anonymous_account() -> None:
    """Without any credentials there must be no choice of account."""
    assert Accounts([OPEN]).authenticate(None).reference == "EX0099999"
    assert refused(Accounts([OPEN]), Credentials("", "", ""))
    assert refused(Accounts([OPEN, OTHER]), None)
    assert refused(Accounts([OTHER]), None)


def test_every_check_does_the_same_number_of_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """A known account, an unknown one and a missing header cannot be told apart by the work they cause."""
    real, compared = hmac.compare_digest, 0

    def counting(a: bytes, b: bytes) -> bool:
        nonlocal compared
        compared += 1
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    counts = set()
    for credentials in (
        Credentials("ems", "old", "EX0012345"),
        Credentials("x", "x", "EX0012345"),
        Credentials("x", "x", "EX0067890"),
        Credentials("x", "x", "nobody"),
        None,
    ):
        compared = 0
        refused(ALL, credentials)
        counts.add(compared)
    assert counts == {4}


def test_refusals_are_counted_across_threads() -> None:
    """No refusal is lost from the count when requests come at once."""
    accounts = Accounts([GUARDED])
    threads = [threading.Thread(target=_refuse, args=(accounts, 200)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accounts.refused == 800


def _refuse(accounts: Accounts, times: int) -> None:
    for _ in range(times):
        with pytest.raises(AuthenticationError):
            accounts.authenticate(None)


def test_accounts_are_listed_in_the_order_of_the_settings() -> None:
    """Iteration gives each account once, aliases or not."""
    assert [account.reference for account in ALL] == ["EX0012345", "EX0067890", "EX0099999"]
    assert len(ALL) == 3


def test_no_password_shows() -> None:
    """Neither presented nor configured passwords appear in a repr."""
    shown = repr(Credentials("ems", "hidden", "EX1")) + repr(list(Accounts([OTHER])))
    assert "hidden" not in shown
    assert "word" not in shown.replace("password", "")
