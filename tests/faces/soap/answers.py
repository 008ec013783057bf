"""What holds for every answer of the SOAP face, whatever was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from soap_handler.contract import SOAP_11, SOAP_12
from tests.support.wire import NUMBER, PASSWORD, REFERENCE

if TYPE_CHECKING:
    from tests.support.wire import Answer

TYPES: Final = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}
CODES_12: Final = {"Sender", "Receiver", "VersionMismatch", "MustUnderstand"}
CODES: Final = {"Client", "Server", "VersionMismatch", "MustUnderstand"}

_INSIDES: Final = (
    *("traceback", 'file "', ".py", "site-packages", "/usr/", "/tmp", "/root", "/home", "exception", "errno"),  # noqa: S108 - looked for
    *("spyne", "lxml", "libxml", "xmlsyntax", "waitress", "zeep", "sqlite", "sqlalchemy", "python", "soap_handler"),
)
_PERSONAL: Final = (PASSWORD, REFERENCE, NUMBER, "447700900123", "yes please")


def assert_proper(answer: Answer) -> None:
    """Check: a well-formed SOAP message under HTTP 200 or 500 that tells nothing of our insides or of people."""
    assert answer.status in {200, 500}
    root = etree.fromstring(answer.body)
    version = root.tag.removeprefix("{").removesuffix("}Envelope")
    assert answer.headers["content-type"] == TYPES[version]
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert not {"server", "via", "x-powered-by"} & answer.headers.keys()
    *header, content = root
    assert [child.tag for child in header] in ([], [f"{{{SOAP_12}}}Header"])
    assert content.tag == f"{{{version}}}Body"
    assert len(content) == 1
    if answer.status == 500:
        _assert_proper_fault(content[0], version)
        assert answer.fault is not None
        assert 5 < len(answer.fault[1]) < 120
    else:
        assert answer.confirms
    told = (answer.body.decode() + repr(answer.headers)).lower()
    assert [word for word in (*_INSIDES, *_PERSONAL) if word.lower() in told] == []


def _assert_proper_fault(fault: etree._Element, version: str) -> None:
    assert fault.tag == f"{{{version}}}Fault"
    if version == SOAP_12:
        assert [child.tag for child in fault] == [f"{{{SOAP_12}}}Code", f"{{{SOAP_12}}}Reason"]
        prefix, _, code = (fault.findtext("{*}Code/{*}Value") or "").partition(":")
        assert fault.nsmap[prefix] == SOAP_12
        assert code in CODES_12
        return
    assert [child.tag for child in fault] == ["faultcode", "faultstring"]
    prefix, _, code = (fault.findtext("faultcode") or "").partition(":")
    assert fault.nsmap[prefix] == SOAP_11
    assert code in CODES
