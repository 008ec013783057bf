"""The two WSDL files say what the contract's tables say, in the form that real SOAP stacks need."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pytest
import zeep
from lxml import etree

from soap_handler.contract import NAMESPACE, soap_action, wsdl_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Service = Literal["AccountEventHandler", "InboxService"]

SERVICES: tuple[Service, ...] = ("AccountEventHandler", "InboxService")
NS = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "s": "http://www.w3.org/2001/XMLSchema",
}

MESSAGE_RECEIVED = [
    ("id", "string"),
    ("originator", "string"),
    ("recipient", "string"),
    ("body", "string"),
    ("type", "MessageType"),
    ("sentat", "dateTime"),
    ("receivedat", "dateTime"),
]
MESSAGE_EVENT = [("id", "string"), ("eventtype", "EventType"), ("occurredat", "dateTime")]
MESSAGE_ERROR = [
    ("id", "string"),
    ("errortype", "ErrorType"),
    ("occurredat", "dateTime"),
    ("detail", "string"),
    ("failurereason", "FailureReason"),
]
SUBSCRIPTION_EVENT = [
    ("mobileNumber", "string"),
    ("contactID", "string"),
    ("eventCode", "EventCode"),
    ("occurredAt", "dateTime"),
]

# service, element, what is in it: names and types, in order (contract, sections 1 and 2)
WRAPPERS: list[tuple[Service, str, list[tuple[str, str]]]] = [
    ("AccountEventHandler", "MessageReceived", MESSAGE_RECEIVED),
    ("AccountEventHandler", "MessageReceivedResponse", []),
    ("AccountEventHandler", "MessageEvent", MESSAGE_EVENT),
    ("AccountEventHandler", "MessageEventResponse", []),
    ("AccountEventHandler", "MessageError", MESSAGE_ERROR),
    ("AccountEventHandler", "MessageErrorResponse", []),
    ("AccountEventHandler", "SubscriptionEvent", SUBSCRIPTION_EVENT),
    ("AccountEventHandler", "SubscriptionEventResponse", []),
    ("InboxService", "GetMessages", []),
    ("InboxService", "GetMessagesResponse", [("GetMessagesResult", "ArrayOfMessage")]),
    ("InboxService", "GetMessageByID", [("id", "string")]),
    ("InboxService", "GetMessageByIDResponse", [("GetMessageByIDResult", "Message")]),
    ("InboxService", "GetMessagesByID", [("ids", "ArrayOfString")]),
    ("InboxService", "GetMessagesByIDResponse", [("GetMessagesByIDResult", "ArrayOfMessage")]),
    ("InboxService", "GetMessagesForDay", [("year", "int"), ("month", "int"), ("day", "int")]),
    ("InboxService", "GetMessagesForDayResponse", [("GetMessagesForDayResult", "ArrayOfMessage")]),
    ("InboxService", "DeleteMessage", [("id", "string")]),
    ("InboxService", "DeleteMessageResponse", []),
    ("InboxService", "DeleteMessages", [("ids", "ArrayOfString")]),
    ("InboxService", "DeleteMessagesResponse", []),
]
OPERATIONS: list[tuple[Service, str]] = [
    (service, name) for service, name, _ in WRAPPERS if not name.endswith("Response")
]

MESSAGE = [
    ("id", "string"),
    ("originator", "string"),
    ("recipient", "string"),
    ("body", "string"),
    ("sentat", "dateTime"),
    ("receivedat", "dateTime"),
    ("type", "MessageType"),
    ("status", "MessageStatus"),
    ("username", "string"),
]
HEADER = [("Username", "string"), ("Password", "string"), ("Account", "string")]
TYPES: list[tuple[Service, str, list[tuple[str, str]]]] = [
    ("AccountEventHandler", "MessengerHeader", HEADER),
    (
        "AccountEventHandler",
        "FailureReason",
        [("code", "int"), ("description", "string"), ("permanentfailure", "boolean")],
    ),
    ("InboxService", "MessengerHeader", HEADER),
    ("InboxService", "Message", MESSAGE),
    ("InboxService", "ArrayOfMessage", [("message", "Message")]),
    ("InboxService", "ArrayOfString", [("string", "string")]),
]
ENUMERATIONS: list[tuple[Service, str, list[str]]] = [
    ("AccountEventHandler", "MessageType", ["Text", "Binary", "SmartMessage", "Unicode"]),
    ("AccountEventHandler", "EventType", ["Delivered"]),
    ("AccountEventHandler", "ErrorType", ["Failed", "UnrecognisedRecipient", "ValidityPeriodExpired"]),
    ("AccountEventHandler", "EventCode", ["Subscribe", "Unsubscribe", "Resubscribe", "Continue"]),
    ("InboxService", "MessageType", ["Text", "Binary", "SmartMessage", "Unicode"]),
    ("InboxService", "MessageStatus", ["Queued", "Sent", "Delivered", "Failed"]),
]
ADDRESSES: list[tuple[Service, str]] = [
    ("AccountEventHandler", "http://localhost:8080/AccountEventHandler"),
    ("InboxService", "https://www.esendex.com/secure/messenger/soap/InboxService.asmx"),
]
VALUE_TYPES = {"dateTime", "int", "boolean"} | {name for _, name, _ in ENUMERATIONS}


def document(service: Service) -> etree._ElementTree:
    return etree.parse(wsdl_path(service))


def find(node: etree._Element | etree._ElementTree, path: str) -> list[Any]:
    found = node.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return found


def local(qname: str) -> str:
    return qname.partition(":")[2]


def members(complex_type: etree._Element) -> list[tuple[str, str]]:
    return [(child.get("name"), local(child.get("type"))) for child in find(complex_type, "s:sequence/s:element")]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    monkeypatch.undo()


@pytest.fixture
def client(no_network: None) -> Callable[[Service], Any]:  # noqa: ARG001 - wanted for what it forbids
    make: Callable[..., Any] = zeep.Client
    return lambda service: make(str(wsdl_path(service)))


@pytest.mark.parametrize(("service", "name", "expected"), WRAPPERS)
def test_each_wrapper_holds_its_parameters_in_order(
    service: Service, name: str, expected: list[tuple[str, str]]
) -> None:
    """Every operation's request and response hold the contract's names, spelled so, of those types, in that order."""
    (complex_type,) = find(document(service), f"//s:schema/s:element[@name='{name}']/s:complexType")
    assert members(complex_type) == expected


@pytest.mark.parametrize(("service", "name", "expected"), TYPES)
def test_each_complex_type_holds_its_members_in_order(
    service: Service, name: str, expected: list[tuple[str, str]]
) -> None:
    """The header, the message, the failure reason and the lists are built as the contract says."""
    (complex_type,) = find(document(service), f"//s:schema/s:complexType[@name='{name}']")
    assert members(complex_type) == expected


@pytest.mark.parametrize(("service", "name", "values"), ENUMERATIONS)
def test_each_enumeration_lists_the_values_of_the_contract(service: Service, name: str, values: list[str]) -> None:
    """Enumerations are simple types with exactly the contract's values."""
    path = f"//s:simpleType[@name='{name}']/s:restriction[@base='s:string']/s:enumeration/@value"
    assert find(document(service), path) == values


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_nothing_that_the_tables_do_not_name(service: Service) -> None:
    """No wrapper, type, enumeration or operation is there that the contract does not know."""
    tree = document(service)
    wrappers = {name for owner, name, _ in WRAPPERS if owner == service}
    assert set(find(tree, "//s:schema/s:element/@name")) == wrappers | {"MessengerHeader"}
    assert set(find(tree, "//s:complexType/@name")) == {name for owner, name, _ in TYPES if owner == service}
    assert set(find(tree, "//s:simpleType/@name")) == {name for owner, name, _ in ENUMERATIONS if owner == service}
    operations = [name for owner, name in OPERATIONS if owner == service]
    assert find(tree, "//wsdl:portType/wsdl:operation/@name") == operations
    assert find(tree, "//wsdl:binding/wsdl:operation/@name") == operations


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_each_operation_is_bound_with_its_own_soap_action(service: Service, operation: str) -> None:
    """The SOAPAction is the namespace, a slash and the operation; requests are document/literal."""
    (binding,) = find(document(service), f"//wsdl:binding/wsdl:operation[@name='{operation}']")
    assert find(binding, "soap:operation/@soapAction") == [soap_action(operation)]
    assert find(binding, "soap:operation/@style") == ["document"]
    assert find(binding, "wsdl:input/soap:body/@use | wsdl:output/soap:body/@use") == ["literal", "literal"]


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_each_input_binds_the_header_from_a_message_of_its_own(service: Service, operation: str) -> None:
    """The header is on every input and on no output, and its part is in ``<Operation>MessengerHeader``."""
    tree = document(service)
    (header,) = find(tree, f"//wsdl:binding/wsdl:operation[@name='{operation}']//soap:header")
    assert header.getparent().tag == f"{{{NS['wsdl']}}}input"
    assert (header.get("message"), header.get("part")) == (f"tns:{operation}MessengerHeader", "MessengerHeader")
    parts = find(tree, f"//wsdl:message[@name='{operation}MessengerHeader']/wsdl:part")
    assert [dict(part.attrib) for part in parts] == [{"name": "MessengerHeader", "element": "tns:MessengerHeader"}]


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_each_body_message_has_one_part_named_parameters(service: Service, operation: str) -> None:
    """wsdl.exe unwraps only what it finds under the name ``parameters``."""
    tree = document(service)
    for message, element in ((f"{operation}SoapIn", operation), (f"{operation}SoapOut", f"{operation}Response")):
        parts = find(tree, f"//wsdl:message[@name='{message}']/wsdl:part")
        assert [dict(part.attrib) for part in parts] == [{"name": "parameters", "element": f"tns:{element}"}]


@pytest.mark.parametrize("service", SERVICES)
def test_value_types_are_required_and_reference_types_optional(service: Service) -> None:
    """Nothing is nillable, and C# must find value types mandatory or it silently drops them."""
    elements = find(document(service), "//s:sequence/s:element")
    assert elements
    for element in elements:
        expected = "1" if local(element.get("type")) in VALUE_TYPES else "0"
        assert element.get("minOccurs") == expected, element.get("name")
    assert find(document(service), "//@nillable") == []


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_members_of_lists_repeat(service: Service) -> None:
    """The lists are ``ArrayOf…`` types with one repeating element; everything else comes once."""
    repeating = find(document(service), "//s:element[@maxOccurs='unbounded']/@name")
    assert repeating == ([] if service == "AccountEventHandler" else ["message", "string"])


@pytest.mark.parametrize(("service", "address"), ADDRESSES)
def test_there_is_one_service_with_one_soap_11_port(service: Service, address: str) -> None:
    """No SOAP 1.2 port: gSOAP users would be moved to it without noticing."""
    tree = document(service)
    assert find(tree, "//wsdl:service/@name") == [service]
    assert find(tree, "//wsdl:port/@name") == [f"{service}Soap"]
    assert find(tree, "//wsdl:binding/@name | //wsdl:portType/@name") == [f"{service}Soap"] * 2
    assert find(tree, "//soap:address/@location") == [address]
    assert b"/wsdl/soap12/" not in wsdl_path(service).read_bytes()


@pytest.mark.parametrize("service", SERVICES)
def test_the_namespace_is_the_contracts_and_elements_are_qualified(service: Service) -> None:
    """One namespace serves as target namespace of both the WSDL and its schema."""
    tree = document(service)
    assert tree.getroot().get("targetNamespace") == NAMESPACE
    (schema,) = find(tree, "//s:schema")
    assert (schema.get("targetNamespace"), schema.get("elementFormDefault")) == (NAMESPACE, "qualified")


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_fetched_or_reordered(service: Service) -> None:
    """No import, no include, and no ``parameterOrder``."""
    assert find(document(service), "//@parameterOrder | //wsdl:import | //s:import | //s:include") == []


@pytest.mark.parametrize("service", SERVICES)
def test_each_operation_and_the_service_are_documented(service: Service) -> None:
    """A generator of code finds documentation, in the first place, where WSDL 1.1 allows it."""
    for node in find(document(service), "//wsdl:portType/wsdl:operation | //wsdl:service"):
        assert node[0].tag == f"{{{NS['wsdl']}}}documentation"
        assert len((node[0].text or "").split()) > 5


@pytest.mark.parametrize("service", SERVICES)
def test_the_schema_is_a_valid_one(service: Service) -> None:
    """The types compile as XML Schema, and refuse elements that are out of order."""
    (node,) = find(document(service), "//s:schema")
    schema = etree.XMLSchema(etree.fromstring(etree.tostring(node)))
    header = "<h:Username>u</h:Username><h:Password>p</h:Password><h:Account>a</h:Account>"
    ordered = etree.fromstring(f'<h:MessengerHeader xmlns:h="{NAMESPACE}">{header}</h:MessengerHeader>')
    assert schema.validate(ordered)
    ordered.append(ordered[0])
    assert not schema.validate(ordered)


@pytest.mark.parametrize("service", SERVICES)
def test_zeep_reads_the_file_without_a_network(client: Callable[[Service], Any], service: Service) -> None:
    """A client is built from the local file alone, and knows every operation and its header."""
    binding = next(iter(client(service).wsdl.bindings.values()))
    assert set(binding.all()) == {name for owner, name in OPERATIONS if owner == service}
    for operation in binding.all().values():
        assert "MessengerHeader" in operation.input.header.signature()


def test_zeep_writes_the_contracts_sample(client: Callable[[Service], Any]) -> None:
    """A request that zeep writes has header and body as the contract's sample of a MessageReceived has them."""
    values = dict.fromkeys((name for name, _ in MESSAGE_RECEIVED), "x")
    header = {"MessengerHeader": {"Username": "ems", "Password": "s3cret", "Account": "EX0012345"}}
    handler = client("AccountEventHandler")
    envelope = handler.create_message(handler.service, "MessageReceived", **values, _soapheaders=header)
    names = [node.tag for node in envelope.iter() if node.tag.startswith(f"{{{NAMESPACE}}}")]
    expected = ["MessengerHeader", *(name for name, _ in HEADER)]
    expected += ["MessageReceived", *(name for name, _ in MESSAGE_RECEIVED)]
    assert names == [f"{{{NAMESPACE}}}{name}" for name in expected]
