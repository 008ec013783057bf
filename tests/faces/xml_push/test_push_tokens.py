"""Who may push: HTTP Basic, a token in the address, an anonymous account; which account is meant; nothing is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.accounts.accounts import Accounts
from soap_handler.accounts.passwords import PasswordHash
from soap_handler.notifications import MessageReceived
from soap_handler.settings import AccountSettings, PushCredentials, PushToken
from tests.faces.xml_push.xml_service import (
    ACCOUNT,
    FIELDS,
    GUID,
    MESSAGE_ID,
    NOTIFICATION_ID,
    OLD_TOKEN,
    TOKEN,
    basic,
    element,
    opened,
)
from tests.support.events import captured_events
from tests.support.wire import OTHER_PASSWORD, OTHER_REFERENCE, OTHER_USERNAME, PASSWORD, REFERENCE, USERNAME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faces.xml_push.conftest import XmlService

BODY = element("InboundMessage")
OTHER_TOKEN = "another-account-s-own-token"
OTHER = AccountSettings(
    reference=OTHER_REFERENCE,
    push=(PushCredentials(username=OTHER_USERNAME, password=SecretStr(OTHER_PASSWORD)),),
    push_tokens=(PushToken(token=SecretStr(OTHER_TOKEN)),),
)


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        (f"/push/{TOKEN}", ""),
        (f"/push/{OLD_TOKEN}", ""),
        (f"/PUSH/{TOKEN}", ""),
        (f"/push/{TOKEN}/inbound", ""),
        (f"//push//{TOKEN}/", ""),
        (f"/services/push/{TOKEN}", ""),
        (f"/push/{TOKEN}", "Bearer something"),
        ("/push", basic()),
        ("/push/inbound", basic()),
        ("/push/inbound", basic().replace("Basic", "bASIC")),
    ],
)
def test_what_is_let_in(xml: XmlService, path: str, authorization: str) -> None:
    """Any of the tokens while one is replaced, and the pair that is for the other versions too."""
    assert xml.take(BODY, path, authorization).repaired == ()


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        ("/push", ""),
        ("/push/", ""),
        ("/push/inbound", ""),
        (f"/push/{TOKEN[:-1]}", ""),
        (f"/push/{TOKEN}x", ""),
        (f"/push/{TOKEN.lower()}", ""),
        (f"/push/inbound/{TOKEN}", ""),
        ("/push", basic(USERNAME, "guess")),
        ("/push", basic("guess", PASSWORD)),
        ("/push", basic(USERNAME, TOKEN)),
        (f"/push/{PASSWORD}", ""),
        (f"/push/{TOKEN}", basic(USERNAME, "guess")),
        ("/push", "Basic !"),
        ("/push", "Basic"),
    ],
)
def test_what_is_refused(xml: XmlService, path: str, authorization: str) -> None:
    """The answer is 403 in the same words whatever was wrong, and nothing is stored."""
    answer = xml.post(BODY, path, authorization)
    assert (answer.status, answer.body) == ("403 Forbidden", b"Authentication failed")
    assert xml.stored() == []


def test_a_token_may_be_given_as_its_hash(tmp_path: Path) -> None:
    """As passwords may; it is proved once, and from then on known."""
    hashed = PushToken(token=SecretStr(str(PasswordHash.of(TOKEN, ln=4))))
    with opened(tmp_path, AccountSettings(reference=REFERENCE, push_tokens=(hashed,))) as xml:
        assert xml.post(BODY, f"/push/{OLD_TOKEN}").status == "403 Forbidden"
        for _ in range(2):
            assert xml.post(BODY).status == "200 OK"


def test_after_a_reload_a_withdrawn_token_is_refused(xml: XmlService) -> None:
    """Rotation: both are taken, then the old one is taken out of the settings."""
    assert xml.post(BODY, f"/push/{OLD_TOKEN}").status == "200 OK"
    fewer = ACCOUNT.model_copy(update={"push_tokens": ACCOUNT.push_tokens[:1]})
    xml.receiver.accounts = Accounts([fewer], xml.receiver.accounts)
    assert xml.post(BODY, f"/push/{OLD_TOKEN}").status == "403 Forbidden"
    assert xml.post(BODY).status == "200 OK"


def test_no_token_is_told(xml: XmlService) -> None:
    """Neither a right nor a wrong one is in an event, an answer or a kept request."""
    odd = BODY.replace(b"Yes please", f"my token is {TOKEN}".encode()).replace(b"<From>", b"<Odd/><From>")
    with captured_events() as events:
        told = [xml.post(BODY, f"/push/wrong-{TOKEN}").body, xml.post(b"<a/>").body, xml.post(b"<a").body]
        xml.post(odd)
    assert xml.kept() == odd.replace(TOKEN.encode(), b"***")
    assert [event["event"] for event in events] == ["authentication_failed"]
    assert TOKEN not in repr(events)
    assert TOKEN.encode() not in b"".join(told)
    assert TOKEN not in repr(ACCOUNT) + repr(xml.receiver.accounts)


def test_an_anonymous_account_takes_any_caller(tmp_path: Path) -> None:
    """Which callers reach it is then the business of server.allow_from."""
    with opened(tmp_path, AccountSettings(reference=REFERENCE, aliases=(GUID,), anonymous=True)) as xml:
        for path in ("/push", "/push/inbound", f"/push/{TOKEN}"):
            assert xml.take(BODY, path).account == REFERENCE


def test_with_several_accounts_the_account_id_says_which(tmp_path: Path) -> None:
    """Its secret must fit: another account's is refused."""
    with opened(tmp_path, ACCOUNT, OTHER) as xml:
        assert xml.take(BODY).account == REFERENCE
        assert xml.take(element("InboundMessage", AccountId=OTHER_REFERENCE), f"/push/{OTHER_TOKEN}").account == (
            OTHER_REFERENCE
        )
        assert xml.post(BODY, f"/push/{OTHER_TOKEN}").status == "403 Forbidden"
        assert xml.post(BODY, "/push", basic(OTHER_USERNAME, OTHER_PASSWORD)).status == "403 Forbidden"
        assert xml.post(element("InboundMessage", AccountId=OTHER_REFERENCE)).status == "403 Forbidden"


@pytest.mark.parametrize("account", ["00000000-0000-0000-0000-0000000000ff", "", None])
def test_an_account_that_is_not_named_is_found_by_the_secret(tmp_path: Path, account: str | None) -> None:
    """The push is stored, with a mark and the request, until AccountId is one of the account's aliases."""
    body = element("InboundMessage", AccountId=account)
    with opened(tmp_path, ACCOUNT, OTHER) as xml:
        for path, authorization in ((f"/push/{OTHER_TOKEN}", ""), ("/push", basic(OTHER_USERNAME, OTHER_PASSWORD))):
            taken = xml.take(body, path, authorization)
            assert (taken.account, taken.repaired) == (OTHER_REFERENCE, ("account not named",))
            assert xml.kept() == body
        assert xml.post(body, "/push/wrong-wrong-wrong-wrong").status == "403 Forbidden"


def test_a_secret_that_two_accounts_share_names_neither(tmp_path: Path) -> None:
    """A guess would put a message into the wrong account's hands."""
    twin = OTHER.model_copy(update={"push_tokens": ACCOUNT.push_tokens})
    with opened(tmp_path, ACCOUNT, twin) as xml:
        assert xml.take(BODY).account == REFERENCE
        assert xml.post(element("InboundMessage", AccountId="unknown")).status == "403 Forbidden"


def test_opt_out_may_name_its_account_by_the_reference(tmp_path: Path) -> None:
    """It is the one element with AccountReference."""
    account = ACCOUNT.model_copy(update={"aliases": ()})
    with opened(tmp_path, account, OTHER) as xml:
        taken = xml.take(element("OptOut"))
    assert (taken.account, taken.repaired) == (REFERENCE, ())
    assert FIELDS["OptOut"]["AccountReference"] == REFERENCE


def test_wrong_ones_are_counted_and_slowed_like_passwords(xml: XmlService) -> None:
    """The login throttle is the same for every version of the API."""
    before = xml.receiver.accounts.refused
    xml.post(BODY, "/push/wrong-wrong-wrong-wrong")
    assert xml.receiver.accounts.refused == before + 1


def test_the_id_of_the_notification_is_kept(xml: XmlService) -> None:
    """It comes back out of the journal in the notification."""
    taken = xml.take(BODY)
    assert isinstance(taken, MessageReceived)
    assert (taken.notification_id, taken.id) == (NOTIFICATION_ID, MESSAGE_ID)
