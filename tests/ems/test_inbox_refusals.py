"""How the inbox refuses: vendor codes in ASP.NET's faults, wherever they are ordered to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from zeep.exceptions import Fault

from soap_handler.contract import NAMESPACE
from soap_handler.ems import CodePlace, InboxService, VendorCode
from tests.ems.conftest import ACCOUNT, HEADER, ZeepFor
from tests.ems.test_inbox_operations import FIRST, UNKNOWN, message

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(call: Callable[..., Any], **values: Any) -> Fault:
    with pytest.raises(Fault) as refused:
        call(**values)
    return refused.value


def code(fault: Fault) -> str:
    return str(fault.detail.findtext(f".//{{{NAMESPACE}}}code"))


@pytest.mark.parametrize("changed", [{"Password": "wrong"}, {"Username": "wrong"}, {"Password": None}])
def test_wrong_credentials_are_refused_and_counted(
    inbox: InboxService, zeep_for: ZeepFor, changed: dict[str, str | None]
) -> None:
    """A wrong username or password is code 2, deletes nothing, and is counted for the account."""
    inbox.mailbox.put(message(FIRST))
    header = {"MessengerHeader": {**HEADER["MessengerHeader"], **changed}}
    fault = refusal(zeep_for(inbox.url).DeleteMessage, id=FIRST, _soapheaders=header)
    assert (code(fault), fault.code) == ("2", "soap:Client")
    assert (len(inbox.mailbox), inbox.mailbox.refused_logins, inbox.refused_logins) == (1, 1, 1)


def test_an_unknown_account_is_refused(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """An account that is not here is told the same as a wrong password."""
    header = {"MessengerHeader": {**HEADER["MessengerHeader"], "Account": "EX0099999"}}
    assert code(refusal(zeep_for(inbox.url).GetMessages, _soapheaders=header)) == "2"
    assert (inbox.mailbox.refused_logins, inbox.refused_logins) == (0, 1)


def test_a_missing_header_is_code_3(inbox: InboxService) -> None:
    """A call without a header is refused for that."""
    request = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><GetMessages xmlns="{NAMESPACE}"/></s:Body></s:Envelope>'
    )
    answer = requests.post(inbox.url, data=request, headers={"Content-Type": "text/xml"}, timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/xml; charset=utf-8")
    assert b"code>3<" in answer.content


def test_an_account_sees_only_its_own_messages(zeep_for: ZeepFor) -> None:
    """Two accounts in one service have a mailbox each."""
    other = type(ACCOUNT)(reference="EX2", username="u2", password="p2", push_username="e", push_password="e")
    with InboxService([ACCOUNT, other]) as inbox:
        inbox.mailboxes[ACCOUNT.reference].put(message(FIRST))
        header = {"MessengerHeader": {"Username": "u2", "Password": "p2", "Account": "ex2"}}
        proxy = zeep_for(inbox.url)
        assert code(refusal(proxy.DeleteMessage, id=FIRST, _soapheaders=header)) == "8"
        assert len(inbox.mailboxes[ACCOUNT.reference]) == 1


@pytest.mark.parametrize("place", list(CodePlace))
def test_the_code_sits_where_it_is_ordered(zeep_for: ZeepFor, place: CodePlace) -> None:
    """Code 8 is in the fault's code, string or detail, and in that one only; the words are always there."""
    with InboxService([ACCOUNT], code_place=place) as inbox:
        fault = refusal(zeep_for(inbox.url).DeleteMessage, id=UNKNOWN, _soapheaders=HEADER)
    found = {
        CodePlace.CODE: fault.code == "soap:Server.8",
        CodePlace.STRING: "Error 8:" in fault.message,
        CodePlace.DETAIL: fault.detail is not None and code(fault) == "8",
    }
    assert [where for where, there in found.items() if there] == [place]
    assert fault.message.startswith("System.Web.Services.Protocols.SoapException: ")
    assert "essage not found\n   at " in fault.message


def test_unknown_ids_of_many_may_be_a_fault(zeep_for: ZeepFor) -> None:
    """When ordered, ``DeleteMessages`` deletes what it knows and then complains."""
    with InboxService([ACCOUNT], unknown_ids="fault") as inbox:
        inbox.mailbox.put(message(FIRST))
        ids = {"string": [UNKNOWN, FIRST]}
        fault = refusal(zeep_for(inbox.url).DeleteMessages, ids=ids, _soapheaders=HEADER)
        assert (code(fault), len(inbox.mailbox)) == ("8", 0)


def test_an_impossible_day_is_a_validation_error(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """The thirtieth of February is code 17."""
    fault = refusal(zeep_for(inbox.url).GetMessagesForDay, year=2026, month=2, day=30, _soapheaders=HEADER)
    assert code(fault) == "17"


def test_any_fault_can_be_ordered_until_it_is_restored(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """An account that is not live refuses everything, and works again once it is live."""
    inbox.answer_with_fault(VendorCode.ACCOUNT_NOT_LIVE)
    proxy = zeep_for(inbox.url)
    assert code(refusal(proxy.GetMessages, _soapheaders=HEADER)) == "5"
    assert code(refusal(proxy.GetMessages, _soapheaders=HEADER)) == "5"
    inbox.restore()
    proxy.GetMessages(_soapheaders=HEADER)
