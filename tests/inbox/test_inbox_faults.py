"""Which vendor error a fault is taken for, wherever and however it says so."""

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from soap_handler.contract import SOAP_12
from soap_handler.errors import InboxError, InboxFaultError, InboxRefusedError, MessageGoneError
from soap_handler.inbox.faults import error_of
from tests.inbox.servers import fault
from tests.support.naming import naming

_TRACE: Final = """
   at System.Data.SqlClient.SqlConnection.Open() in c:\\build\\8\\SqlConnection.cs:line 8
   at Esendex.Messenger.InboxService.DeleteMessage(String id) in d:\\src\\InboxService.asmx.cs:line 2
   at System.Threading.ThreadPool.Code 8: Run(Int32 16)
   --- End of inner exception stack trace ---"""
_ASMX: Final = "System.Web.Services.Protocols.SoapException: Server was unable to process request. ---&gt; "
_REFUSALS: Final = (2, 3, 5, 6, 16)
_OTHERS: Final = (4, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18)


def _error(
    code: str = "soap:Server", string: str = "Server was unable to process request.", detail: str = ""
) -> InboxError:
    [found] = etree.fromstring(fault(code, string, detail).encode()).iter("{*}Fault")
    return error_of(found)


def _meaning(number: int) -> type[InboxError]:
    if number == 8:
        return MessageGoneError
    return InboxRefusedError if number in _REFUSALS else InboxFaultError


# -- by number --

_WITH_NUMBER: Final = {
    "code": {"code": "{}"},
    "code-prefixed": {"code": "soap:{}"},
    "code-dotted": {"code": "soap:Client.{}"},
    "string": {"string": "{}"},
    "string-prefixed": {"string": "{}: something happened"},
    "string-error": {"string": "Error {}: something happened"},
    "string-error-code": {"string": "ErrorCode={}"},
    "string-brackets": {"string": "[{}] - something happened"},
    "string-asmx": {"string": _ASMX + "{} - something happened" + _TRACE},
    "string-exception": {"string": _ASMX + "Esendex.MessengerException: {}" + _TRACE},
    "string-exception-error": {"string": _ASMX + "Esendex.MessengerException: Error {}, something happened" + _TRACE},
    "detail": {"detail": "{}"},
    "detail-element": {"detail": "<code>{}</code>"},
    "detail-nested": {"detail": '<error xmlns="x"><ErrorCode> {} </ErrorCode><text>something</text></error>'},
    "detail-attribute": {"detail": '<error code="{}">something</error>'},
    "detail-text": {"detail": "<text>Error {}: something happened</text>"},
}


@pytest.mark.parametrize("parts", _WITH_NUMBER.values(), ids=_WITH_NUMBER.keys())
def test_the_number_is_found_wherever_it_stands(parts: dict[str, str]) -> None:
    """Faultcode, faultstring or detail: the contract does not know which, so all are read."""
    for number in (*_REFUSALS, 8, *_OTHERS):
        with naming(number):
            error = _error(**{name: text.format(number) for name, text in parts.items()})
            assert type(error) is _meaning(number)
            assert f"code {number}" in str(error)


@pytest.mark.parametrize("parts", _WITH_NUMBER.values(), ids=_WITH_NUMBER.keys())
def test_a_number_that_says_nothing_is_an_unknown_fault(parts: dict[str, str]) -> None:
    """Unknown, unexpected, and numbers that are no code of the vendor."""
    for number in (0, 1, 19, 26, 40, 99, 500, 2008):
        with naming(number):
            assert type(_error(**{name: text.format(number) for name, text in parts.items()})) is InboxFaultError


# -- in words --

_WORDINGS: Final = [
    ("Message not found", 8),
    ("The message was not found.", 8),
    ("Message could not be found", 8),
    ("Esendex.MessageNotFoundException: ", 8),
    ("Authentication failed", 2),
    ("Authentication has failed for this account", 2),
    ("AuthenticationFailure", 2),
    ("Missing header", 3),
    ("Missing MessengerHeader", 3),
    ("The header is missing", 3),
    ("Account not live", 5),
    ("The account is not live", 5),
    ("Method not enabled", 6),
    ("Not authorised", 16),
    ("You are not authorized to do this", 16),
    ("Attempted to perform an unauthorized operation.", 16),
]


@pytest.mark.parametrize(("words", "number"), _WORDINGS)
@pytest.mark.parametrize(
    "parts",
    [
        {"string": "{}"},
        {"string": _ASMX + "Esendex.MessengerException: {}" + _TRACE},
        {"detail": "<message>{}</message>"},
    ],
    ids=["string", "asmx", "detail"],
)
def test_the_vendors_wording_counts_too(parts: dict[str, str], words: str, number: int) -> None:
    """The number may be nowhere."""
    error = _error(**{name: text.format(words) for name, text in parts.items()})
    assert type(error) is _meaning(number)


def test_a_fault_code_may_say_it_in_one_word() -> None:
    """Fault codes may be names."""
    assert type(_error(code="soap:Client.AuthenticationFailed")) is InboxRefusedError


# -- what must not be mistaken --


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Server was unable to process request.",
        "Object reference not set to an instance of an object." + _TRACE,
        _ASMX + "System.NullReferenceException: Object reference not set to an instance of an object." + _TRACE,
        _ASMX + "System.Exception: Oops at Esendex.Inbox.Delete(String id) in c:\\x\\Inbox.cs:line 8",
        "Message queue not found",
        "The method or operation is not implemented.",
        "Method not found: 'Void Esendex.Message.Delete(Int32)'.",
        "Timeout expired. 8 messages were waiting.",
        "8 messages were waiting",
        "08:15:00 timeout",
        "8:15 timeout",
        "8.5 seconds passed",
        "2-11-2008: timeout",
        "2 - 11 - 2008: timeout",
        "Login failed for user 'sa'.",
        "An error has occurred while connecting. (provider: Named Pipes Provider, error: 2 - Could not open)",
        "An error has occurred while connecting. (Microsoft SQL Server, Error: 2)",
        "System.ComponentModel.Win32Exception (8): Not enough memory",
        "System.IO.IOException: Authentication failed because the remote party has closed the transport stream.",
        "HTTP 500: error",
    ],
)
def test_other_troubles_are_not_mistaken(text: str) -> None:
    """A number in a stack trace, a time, or another layer's error number is no vendor code."""
    assert type(_error(string=text)) is InboxFaultError
    assert type(_error(detail=f"<message>{text.replace('---&gt;', '')}</message>")) is InboxFaultError


@pytest.mark.parametrize(
    "detail",
    [
        "<LineNumber>8</LineNumber>",
        "<line>8</line>",
        "<StackTrace>Message not found 8</StackTrace>",
        "<HResult>8</HResult>",
        '<error line="8"/>',
        "<code>0x8</code>",
        "<code>-8</code>",
        "<code>808</code>",
    ],
)
def test_a_number_in_the_detail_counts_only_under_a_name_that_promises_a_code(detail: str) -> None:
    """Line numbers stand in details too."""
    assert type(_error(detail=detail)) is InboxFaultError


@pytest.mark.parametrize(
    ("string", "detail", "error"),
    [
        ("Message not found", "<code>8</code>", MessageGoneError),
        ("Message not found", "<code>1</code>", MessageGoneError),
        ("Message not found", "<code>11</code>", InboxFaultError),
        ("Message not found", "<code>2</code>", InboxRefusedError),
        ("Error 8: Authentication failed", "", InboxRefusedError),
    ],
)
def test_gone_is_believed_only_when_nothing_contradicts_it(string: str, detail: str, error: type[InboxError]) -> None:
    """A delete is not taken for done on half a word."""
    assert type(_error(string=string, detail=detail)) is error


def test_a_stack_trace_is_cut_before_it_is_read() -> None:
    """Even a trace that quotes the vendor's words in a frame says nothing."""
    text = _ASMX + "System.Exception: Oops\n   at Esendex.Faults.MessageNotFound(Int32 8) in c:\\x.cs:line 8\n"
    assert type(_error(string=text)) is InboxFaultError


# -- what is kept of it --


def test_the_text_names_the_innermost_exception_and_nothing_else() -> None:
    """No stack trace and no personal data: the text goes into logs and the journal."""
    text = _ASMX + "System.Data.SqlClient.SqlException: No row for 447700900123 and 'somebody'" + _TRACE
    assert str(_error(string=text)) == "SOAP fault, SqlException"
    assert str(_error(string="No row for 447700900123")) == "SOAP fault, no known code"


def test_a_soap_12_fault_is_read_as_well() -> None:
    """Other names for the same three parts."""
    document = (
        f'<s:Fault xmlns:s="{SOAP_12}"><s:Code><s:Value>s:Sender</s:Value></s:Code>'
        "<s:Reason><s:Text>Message not found</s:Text></s:Reason></s:Fault>"
    )
    assert type(error_of(etree.fromstring(document))) is MessageGoneError


def test_an_empty_fault_is_an_unknown_fault() -> None:
    """A fault without parts is still a fault."""
    assert str(error_of(etree.fromstring("<Fault/>"))) == "SOAP fault, no known code"


_xml_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=300)


@given(code=_xml_text, string=_xml_text, detail=_xml_text)
def test_any_fault_becomes_an_error_with_a_short_text(code: str, string: str, detail: str) -> None:
    """Whatever EMS writes, reading it never breaks, and little of it is kept."""
    element = etree.Element("Fault")
    for name, text in (("faultcode", code), ("faultstring", string), ("detail", detail)):
        try:
            etree.SubElement(element, name).text = text
        except ValueError:  # a character that XML cannot carry
            return
    assert len(str(error_of(element))) < 120


def test_a_very_long_string_is_read_quickly() -> None:
    """A hostile faultstring must not stall the thread."""
    for unit in ("a", " ", "1", "(", "at x.", "---> ", "message not ", "missing", "Error ", "at ", "x.Exception"):
        element = etree.Element("Fault")
        for name in ("faultcode", "faultstring", "detail"):
            etree.SubElement(element, name).text = unit * (1_000_000 // len(unit))
        began = time.monotonic()
        error_of(element)
        assert time.monotonic() - began < 1
