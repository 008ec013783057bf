"""SOAP 1.2: read as SOAP 1.1 is, answered in SOAP 1.2. The envelope decides, and not the Content-Type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import pytest
import zeep
from lxml import etree

from soap_handler.contract import SOAP_11, SOAP_12
from soap_handler.errors import JournalUnavailableError
from soap_handler.notifications import Kind
from tests.corpus import SAMPLES
from tests.faces.soap.answers import assert_proper
from tests.support.waiting import wait_for
from tests.support.wire import PATH, USERNAME, ask, envelope, header, message, operation

if TYPE_CHECKING:
    from soap_handler.journal import Entry
    from tests.support.service import Service
    from tests.support.wire import Answer

TYPE_11: Final = "Content-Type: text/xml; charset=utf-8"
TYPE_12: Final = 'Content-Type: application/soap+xml; charset=utf-8; action="x"'
ENV: Final = {"s": SOAP_12}
HEADER: Final = {"MessengerHeader": {"Username": USERNAME, "Password": "s3cret", "Account": "EX0012345"}}


def version(answer: Answer) -> str:
    return etree.fromstring(answer.body).tag.removeprefix("{").removesuffix("}Envelope")


def found(answer: Answer, path: str) -> list[Any]:
    nodes = etree.fromstring(answer.body).xpath(path, namespaces=ENV)
    assert isinstance(nodes, list)
    return nodes


@pytest.mark.parametrize("kind", Kind)
def test_the_samples_in_soap_12_are_taken_as_the_samples_are(shared: Service, kind: Kind) -> None:
    """The same notification in the other version is the same notification: the second one is a duplicate."""
    sample = (SAMPLES / f"{kind}.xml").read_bytes()
    in_12 = sample.replace(SOAP_11.encode(), SOAP_12.encode())
    assert in_12 != sample
    taken = shared.take(in_12, TYPE_12)
    assert taken.kind == kind
    assert taken.repaired == ()
    known = len(shared.handled)
    assert shared.post(sample).confirms == kind
    wait_for(lambda: shared.app.journal.next_handling() is None)  # the result of the first may still be on its way
    assert len(shared.handled) == known


@pytest.mark.parametrize("namespace", [SOAP_11, SOAP_12])
@pytest.mark.parametrize("content_type", [TYPE_11, TYPE_12])
def test_a_mixed_up_pair_is_answered_in_the_version_of_the_envelope(
    shared: Service, namespace: str, content_type: str
) -> None:
    """Success and fault both, with the Content-Type of that version."""
    for body in (envelope(namespace=namespace), envelope("", namespace=namespace)):
        answer = shared.post(body, content_type)
        assert_proper(answer)
        assert version(answer) == namespace


@pytest.mark.parametrize(("content_type", "expected"), [(TYPE_11, SOAP_11), (TYPE_12, SOAP_12)])
@pytest.mark.parametrize("body", [b"", b"hello", b"<a/>", message()[:-9]])
def test_without_an_envelope_the_content_type_decides(
    shared: Service, content_type: str, expected: str, body: bytes
) -> None:
    """A caller that says SOAP 1.2 can read the refusal."""
    answer = shared.post(body, content_type)
    assert_proper(answer)
    assert version(answer) == expected
    assert answer.fault is not None
    assert answer.fault[0] == ("Client" if expected == SOAP_11 else "Sender")


@pytest.mark.parametrize(
    "body",
    [
        envelope("<DeleteMessage/>", namespace=SOAP_12),
        envelope(head=header(password="wrong"), namespace=SOAP_12),
        envelope(head="", namespace=SOAP_12),
        envelope(operation(inner='<id href="#no"/>'), namespace=SOAP_12),
        envelope(namespace=SOAP_12).replace(b"soap:Body>", f'b:Body xmlns:b="{SOAP_11}">'.encode(), 1),
        envelope(f'<f:Fault xmlns:f="{SOAP_12}"/>', namespace=SOAP_12),
    ],
    ids=["operation", "password", "no credentials", "reference", "body", "fault"],
)
def test_a_mistake_of_the_caller_is_a_sender_fault_under_500(shared: Service, body: bytes) -> None:
    """Every client reads a fault under 500; some read none under the 400 that the binding has for Sender."""
    answer = shared.post(body, TYPE_12)
    assert_proper(answer)
    assert answer.status == 500
    assert found(answer, "//s:Code/s:Value/text()") == ["soap:Sender"]
    assert found(answer, "//s:Reason/s:Text/@xml:lang") == ["en"]


def blocks(answer: Answer) -> list[str]:
    """Return the tags of the header blocks that were not understood, resolved by their declarations."""
    tags = []
    for block in found(answer, "/s:Envelope/s:Header/s:NotUnderstood"):
        prefix, _, local = block.get("qname").rpartition(":")
        tags.append(f"{{{block.nsmap[prefix]}}}{local}" if prefix else local)
    return tags


MUST: Final = 'soap:mustUnderstand="true"'
NEXT: Final = f'soap:role="{SOAP_12}/role/next"'
ULTIMATE: Final = f'soap:role="{SOAP_12}/role/ultimateReceiver"'


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (f'<x:Route xmlns:x="urn:route" {MUST}/>', ["{urn:route}Route"]),
        (f'<x:Route xmlns:x="urn:a&amp;b&quot;&lt;" {MUST} {NEXT}/>', []),
        (f'<x:Route xmlns:x="urn:a&amp;b" {MUST} {NEXT}/>', ["{urn:a&b}Route"]),
        (f"<Route {MUST} {ULTIMATE}/>", ["Route"]),
        (f'<a xmlns="urn:1" {MUST}/><b xmlns="urn:2"/><c xmlns="urn:3" {MUST}/>', ["{urn:1}a", "{urn:3}c"]),
        (f'<MessengerHeader xmlns="urn:x" {MUST}/>', ["{urn:x}MessengerHeader"]),
        ("".join(f'<b{n} xmlns="urn:x" {MUST}/>' for n in range(20)), [f"{{urn:x}}b{n}" for n in range(8)]),
        (f'<a xmlns="urn:{"x" * 300}" {MUST}/>', []),
    ],
    ids=["one", "no URI", "escaped", "no namespace", "several", "not ours", "many", "long"],
)
def test_header_blocks_that_are_not_understood_are_named(shared: Service, head: str, expected: list[str]) -> None:
    """Each gets a NotUnderstood block with its name; how many and how long is bounded, since they are the caller's."""
    answer = shared.post(envelope(head=header() + head, namespace=SOAP_12), TYPE_12)
    assert_proper(answer)
    assert answer.fault is not None
    assert answer.fault[0] == "MustUnderstand"
    assert blocks(answer) == expected


def test_a_block_in_the_namespace_of_xml_is_named_by_its_own_prefix(shared: Service) -> None:
    """No other prefix may be declared for it."""
    answer = shared.post(envelope(head=f"{header()}<xml:a {MUST}/>", namespace=SOAP_12), TYPE_12)
    assert_proper(answer)
    assert found(answer, "//s:NotUnderstood/@qname") == ["xml:a"]


def test_an_unknown_version_is_told_which_ones_are_known(shared: Service) -> None:
    """Over SOAP 1.2, with the Upgrade block of part 1, section 5.4.7; over SOAP 1.1, which has none, in words."""
    answer = shared.post(envelope(namespace="urn:soap:9"), TYPE_12)
    assert_proper(answer)
    assert answer.fault is not None
    assert answer.fault[0] == "VersionMismatch"
    supported = found(answer, "/s:Envelope/s:Header/s:Upgrade/s:SupportedEnvelope")
    assert [each.nsmap[each.get("qname").partition(":")[0]] for each in supported] == [SOAP_12, SOAP_11]
    assert [each.get("qname").partition(":")[2] for each in supported] == ["Envelope"] * 2
    old = shared.post(envelope(namespace="urn:soap:9"))
    assert old.fault == ("VersionMismatch", "Only SOAP 1.1 and SOAP 1.2 are understood here")
    assert version(old) == SOAP_11


def test_what_could_not_be_stored_is_a_receiver_fault(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed commit is answered in the version of the envelope too."""

    def unavailable(_entry: Entry) -> bool:
        raise JournalUnavailableError

    monkeypatch.setattr(shared.app.journal, "record", unavailable)
    for content_type in (TYPE_11, TYPE_12):
        answer = shared.post(envelope(namespace=SOAP_12), content_type)
        assert_proper(answer)
        assert answer.fault == ("Receiver", "The notification could not be stored; please send it again")


def test_soap_11_is_answered_byte_for_byte_as_ever(shared: Service) -> None:
    """An answer and a fault, as every release has sent them."""
    start = f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{SOAP_11}"><soap:Body>'
    end = "</soap:Body></soap:Envelope>"
    response = '<MessageReceivedResponse xmlns="com.esendex.ems.soapinterface"/>'
    assert shared.post(message()).body == f"{start}{response}{end}".encode()
    fault = (
        "<soap:Fault><faultcode>soap:MustUnderstand</faultcode>"
        "<faultstring>A header block that must be understood is not known here: x</faultstring></soap:Fault>"
    )
    refused = shared.post(envelope(head=f'{header()}<x xmlns="urn:x" soap:mustUnderstand="1"/>'))
    assert refused.body == f"{start}{fault}{end}".encode()


# -- the description ---------------------------------------------------------------------------------------------------

WSDL: Final = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
}
PORT: Final = "AccountEventHandlerSoap12"


def description(shared: Service, query: str) -> etree._Element:
    answer = ask(shared.port, f"GET {PATH}?{query} HTTP/1.1\r\nHost: sms.example\r\n\r\n".encode())
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return etree.fromstring(answer.body)


def test_the_default_description_has_no_port_for_soap_12(shared: Service) -> None:
    """Users of gSOAP would be moved to it without noticing."""
    assert description(shared, "wsdl").xpath("//wsdl:port/@name", namespaces=WSDL) == ["AccountEventHandlerSoap"]
    assert b"soap12" not in etree.tostring(description(shared, "wsdl"))


@pytest.mark.parametrize("query", ["wsdl12", "WSDL12", "wsdl12=", "x=1&Wsdl12"])
def test_the_description_for_soap_12_has_the_same_binding_in_it(shared: Service, query: str) -> None:
    """It has both ports at the caller's address; their bindings differ in the namespace of SOAP alone."""
    root = description(shared, query)
    ports = root.xpath("//wsdl:port/@name | //wsdl:port/@binding", namespaces=WSDL)
    assert ports == [PORT, f"tns:{PORT}", "AccountEventHandlerSoap", "tns:AccountEventHandlerSoap"]
    addresses = root.xpath("//soap12:address/@location | //soap:address/@location", namespaces=WSDL)
    assert addresses == [f"http://sms.example{PATH}"] * 2
    new, old = root.findall("wsdl:binding", WSDL)
    assert (new.get("name"), new.get("type")) == (PORT, old.get("type"))

    def shape(binding: etree._Element) -> list[tuple[str, str, dict[str, str]]]:
        tags = [(etree.QName(node), dict(node.attrib)) for node in binding.iterdescendants()]
        return [(str(tag.namespace).replace("soap12", "soap"), tag.localname, values) for tag, values in tags]

    assert shape(new) == shape(old)
    assert not new.findall(".//soap:*", WSDL)
    for node in (new, *root.findall(f"wsdl:service/wsdl:port[@name='{PORT}']", WSDL)):
        parent = node.getparent()
        assert parent is not None
        parent.remove(node)
    rest, plain = ([node.tag for node in each.iter()] for each in (root, description(shared, "wsdl")))
    assert rest == plain


@pytest.mark.parametrize("port", [None, PORT])
def test_zeep_calls_the_service_over_soap_12(shared: Service, port: str | None) -> None:
    """The first port, and the one of that name, are for SOAP 1.2; its faults are read as well."""
    make, plugins = cast("Any", zeep.Client), cast("Any", zeep.plugins)
    history = plugins.HistoryPlugin()
    address = f"http://127.0.0.1:{shared.port}{PATH}"
    client = make(f"{address}?wsdl12", plugins=[history], port_name=port)
    identity = f"9d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5{'a' if port else 'b'}"
    client.service.MessageEvent(identity, eventtype="Delivered", occurredat="2008-06-12T10:16:02Z", _soapheaders=HEADER)
    assert history.last_sent["http_headers"]["Content-Type"].startswith("application/soap+xml")
    assert history.last_sent["envelope"].tag == f"{{{SOAP_12}}}Envelope"
    assert history.last_received["envelope"].tag == f"{{{SOAP_12}}}Envelope"
    wrong = {"MessengerHeader": {**HEADER["MessengerHeader"], "Password": "wrong"}}
    with pytest.raises(zeep.exceptions.Fault) as caught:
        client.service.MessageEvent(
            identity, eventtype="Delivered", occurredat="2008-06-12T10:16:02Z", _soapheaders=wrong
        )
    assert (caught.value.message, caught.value.code) == ("Authentication failed", "soap:Sender")
