"""What holds for every answer of the SOAP face, whatever was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.contract import SOAP_11
from tests.support.wire import NUMBER, PASSWORD, REFERENCE

if TYPE_CHECKING:
    from tests.support.wire import Answer

CODES: Final = {"Client", "Server", "VersionMismatch", "MustUnderstand"}

_INSIDES: Final = (
    *("traceback", 'file "', ".py", "site-packages", "/usr/", "/tmp", "/root", "/home", "exception", "errno"),  # noqa: S108 - looked for
    *("spyne", "lxml", "libxml", "xmlsyntax", "waitress", "zeep", "sqlite", "sqlalchemy", "python", "soap_handler"),
)
_PERSONAL: Final = (PASSWORD, REFERENCE, NUMBER, "447700900123", "yes please")


def assert_proper(answer: Answer) -> None:
    """Check: a well-formed SOAP 1.1 message under HTTP 200 or 500 that tells nothing of our insides or of people."""
    assert answer.status in {200, 500}
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert not {"server", "via", "x-powered-by"} & answer.headers.keys()
    root = etree.fromstring(answer.body)
    assert root.tag == f"{{{SOAP_11}}}Envelope"
    assert [child.tag for child in root] == [f"{{{SOAP_11}}}Body"]
    assert len(root[0]) == 1
    if answer.status == 500:
        _assert_proper_fault(root[0][0])
    else:
        assert answer.confirms
    told = (answer.body.decode() + repr(answer.headers)).lower()
    assert [word for word in (*_INSIDES, *_PERSONAL) if word.lower() in told] == []


def _assert_proper_fault(fault: etree._Element) -> None:
    assert fault.tag == f"{{{SOAP_11}}}Fault"
    assert [child.tag for child in fault] == ["faultcode", "faultstring"]
    prefix, _, code = (fault.findtext("faultcode") or "").partition(":")
    assert fault.nsmap[prefix] == SOAP_11
    assert code in CODES
    assert 5 < len(fault.findtext("faultstring") or "") < 120
