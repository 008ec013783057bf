"""The inbox service does what the contract's table says, over a real socket, as zeep sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests
from lxml import etree

from soap_handler.contract import NAMESPACE
from soap_handler.notifications import MessageReceived, MessageType
from tests.ems.conftest import ACCOUNT, HEADER, ZeepFor

if TYPE_CHECKING:
    from soap_handler.ems import InboxService

FIRST, SECOND, UNKNOWN = (f"8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5{digit}" for digit in "abc")


def message(message_id: str, body: str = "Yes please", day: int = 12) -> MessageReceived:
    return MessageReceived(
        account=ACCOUNT.reference,
        id=message_id,
        originator="447700900123",
        recipient="447786204254",
        body=body,
        type=MessageType.TEXT,
        sent_at=datetime(2026, 6, day, 9, 15, 30, 123456, tzinfo=UTC),
        received_at=datetime(2026, 6, day, 9, 15, 31, tzinfo=UTC),
    )


def test_get_messages_gives_the_whole_inbox(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """All messages come in one answer, in the order of their arrival."""
    inbox.mailbox.put(message(FIRST))
    inbox.mailbox.put(message(SECOND))
    answer = zeep_for(inbox.url).GetMessages(_soapheaders=HEADER)
    assert [found.id for found in answer] == [FIRST, SECOND]


def test_an_empty_inbox_gives_an_empty_list(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """No message is an answer too, not a fault."""
    assert not zeep_for(inbox.url).GetMessages(_soapheaders=HEADER)


def test_get_message_by_id_gives_every_value_of_it(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """A message has the contract's nine values, and its times are the same instants."""
    inbox.mailbox.put(message(FIRST))
    found = zeep_for(inbox.url).GetMessageByID(id=FIRST.upper(), _soapheaders=HEADER)
    assert (found.id, found.originator, found.recipient, found.body) == (
        FIRST,
        "447700900123",
        "447786204254",
        "Yes please",
    )
    assert (found.type, found.status) == ("Text", "Delivered")
    assert found.sentat == datetime(2026, 6, 12, 9, 15, 30, 123456, tzinfo=UTC)
    assert found.receivedat == datetime(2026, 6, 12, 9, 15, 31, tzinfo=UTC)


@pytest.mark.parametrize("body", ["  two  ", "\tone\r\ntwo\n", "", " ", "👍🏽 Ελ é", "]]> &amp; <b>"])
def test_bodies_come_as_they_were_put(inbox: InboxService, zeep_for: ZeepFor, body: str) -> None:
    """White space, line ends and every legal character of a body survive."""
    inbox.mailbox.put(message(FIRST, body))
    assert (zeep_for(inbox.url).GetMessageByID(id=FIRST, _soapheaders=HEADER).body or "") == body


def test_get_messages_by_id_gives_those_that_are_there(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """Ids that are not known are left out."""
    inbox.mailbox.put(message(FIRST))
    inbox.mailbox.put(message(SECOND))
    answer = zeep_for(inbox.url).GetMessagesByID(ids={"string": [SECOND, UNKNOWN]}, _soapheaders=HEADER)
    assert [found.id for found in answer] == [SECOND]


def test_get_messages_for_day_gives_those_of_the_day(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """The day is that of reception."""
    inbox.mailbox.put(message(FIRST, day=12))
    inbox.mailbox.put(message(SECOND, day=13))
    answer = zeep_for(inbox.url).GetMessagesForDay(year=2026, month=6, day=13, _soapheaders=HEADER)
    assert [found.id for found in answer] == [SECOND]


def test_delete_message_deletes_one(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """Only the message of that id goes, in whichever case the id is written."""
    inbox.mailbox.put(message(FIRST))
    inbox.mailbox.put(message(SECOND))
    zeep_for(inbox.url).DeleteMessage(id=FIRST.upper(), _soapheaders=HEADER)
    assert inbox.mailbox.ids() == [SECOND]
    assert (inbox.mailbox.deleted, inbox.deleted) == (1, 1)


def test_delete_messages_deletes_several(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """Those that are known go; the others are ignored unless told otherwise."""
    inbox.mailbox.put(message(FIRST))
    inbox.mailbox.put(message(SECOND))
    zeep_for(inbox.url).DeleteMessages(ids={"string": [FIRST, UNKNOWN, SECOND]}, _soapheaders=HEADER)
    assert len(inbox.mailbox) == 0
    assert inbox.mailbox.deleted == 2


def test_the_history_tells_a_messages_life(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """Put and deleted are noted with their times, and stay known after the message is gone."""
    inbox.mailbox.put(message(FIRST))
    zeep_for(inbox.url).DeleteMessage(id=FIRST, _soapheaders=HEADER)
    history = inbox.mailbox.history(FIRST)
    assert [entry.step for entry in history] == ["put", "deleted"]
    assert history[0].at <= history[1].at


def test_either_name_of_the_account_opens_the_inbox(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """An account has a reference and a number; either may be in ``Account`` (contract, section 4)."""
    inbox.mailbox.put(message(FIRST))
    header = {"MessengerHeader": {**HEADER["MessengerHeader"], "Account": ACCOUNT.number}}
    assert len(zeep_for(inbox.url).GetMessages(_soapheaders=header)) == 1


def test_the_wsdl_is_served_with_its_own_address(inbox: InboxService) -> None:
    """``?wsdl`` gives the contract's file with the address at which it was asked for."""
    answer = requests.get(f"{inbox.url}?WSDL", timeout=5)
    addresses = etree.fromstring(answer.content).iter("{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert [address.get("location") for address in addresses] == [inbox.url]


@pytest.mark.parametrize(("method", "suffix", "status"), [("GET", "", 405), ("POST", "x", 404), ("GET", "x?wsdl", 404)])
def test_only_the_services_own_path_answers(inbox: InboxService, method: str, suffix: str, status: int) -> None:
    """Another path or another method is no service."""
    assert requests.request(method, inbox.url + suffix, timeout=5).status_code == status


def test_control_characters_are_written_as_references(inbox: InboxService) -> None:
    """A form feed is written as .NET writes it, which a strict parser refuses (contract, section 4)."""
    inbox.mailbox.put(message(FIRST, "one\x0ctwo"))
    header = "".join(f"<{name}>{value}</{name}>" for name, value in HEADER["MessengerHeader"].items())
    request = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        f'<MessengerHeader xmlns="{NAMESPACE}">{header}</MessengerHeader></s:Header>'
        f'<s:Body><GetMessages xmlns="{NAMESPACE}"/></s:Body></s:Envelope>'
    )
    answer = requests.post(inbox.url, data=request, headers={"Content-Type": "text/xml"}, timeout=5)
    assert b"one&#xC;two" in answer.content
