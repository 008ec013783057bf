"""The spyne service, the notifications and the WSDL say the same of every operation, parameter, order and type."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from lxml import etree

from soap_handler import notifications
from soap_handler.accounts.accounts import Accounts
from soap_handler.contract import NAMESPACE, soap_action, wsdl_path
from soap_handler.faces.soap.endpoint import Endpoint
from soap_handler.faces.soap.service import Call, MessengerHeader
from soap_handler.notifications import KINDS, Kind
from soap_handler.receive.receiver import Receiver
from soap_handler.settings import AccountSettings

NS = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "s": "http://www.w3.org/2001/XMLSchema",
}
WSDL = etree.parse(wsdl_path("AccountEventHandler"))
COMMON = ["account", "notification_id", "original", "repaired", "digest"]

Member = tuple[str, str, int]
"""Name, type and whether it must be there."""


def find(path: str) -> list[Any]:
    found = WSDL.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return found


def described(path: str) -> list[Member]:
    """Return the members of a type in the WSDL."""
    return [
        (element.get("name"), element.get("type").partition(":")[2], int(element.get("minOccurs")))
        for element in find(f"{path}/s:sequence/s:element")
    ]


def served(cls: Any) -> list[Member]:
    """Return the members of a type of the spyne service."""
    return [
        (name, member.get_type_name(), member.Attributes.min_occurs)
        for name, member in cls.get_flat_type_info(cls).items()
    ]


ENDPOINT = Endpoint(Receiver(Accounts([AccountSettings(reference="EX1", anonymous=True)])))
"""The service as it is built: only then spyne has given its types their names."""


def descriptor(operation: str) -> Any:
    (found,) = ENDPOINT.app.interface.service_method_map[f"{{{NAMESPACE}}}{operation}"]
    return found


class Context:
    """spyne's context, as far as an operation looks at it."""

    def __init__(self) -> None:
        self.udc = Call()
        self.in_header = None


def handed_in(operation: str) -> tuple[Kind, dict[str, Any]]:
    """Call an operation with each parameter's own name as its text; return what it notes."""
    context = Context()
    message = descriptor(operation).in_message
    names = list(message.get_flat_type_info(message))
    descriptor(operation).function(context, *names)
    return context.udc.kind, dict(context.udc.fields)


def test_the_operations_are_the_same_everywhere() -> None:
    """The service, the port, the binding and the kinds of notification know the same four."""
    kinds = [kind.value for kind in Kind]
    assert set(ENDPOINT.app.interface.service_method_map) == {f"{{{NAMESPACE}}}{kind}" for kind in kinds}
    assert find("//wsdl:portType/wsdl:operation/@name") == kinds
    assert find("//wsdl:binding/wsdl:operation/@name") == kinds
    assert list(KINDS) == list(Kind)


@pytest.mark.parametrize("operation", [kind.value for kind in Kind])
def test_service_and_wsdl_agree_on_every_parameter(operation: str) -> None:
    """Names in their spelling, order, types, and what may be left out."""
    assert served(descriptor(operation).in_message) == described(f"//s:element[@name='{operation}']/s:complexType")
    assert served(descriptor(operation).out_message) == []
    assert descriptor(operation).in_message.get_type_name() == operation
    assert descriptor(operation).out_message.get_type_name() == f"{operation}Response"
    assert descriptor(operation).in_message.get_namespace() == NAMESPACE


@pytest.mark.parametrize("operation", [kind.value for kind in Kind])
def test_service_and_notification_agree_on_every_attribute(operation: str) -> None:
    """Every parameter becomes an attribute, in the same order, and every attribute comes from a parameter."""
    kind, fields = handed_in(operation)
    assert kind == operation
    attributes = [spec.name for spec in dataclasses.fields(KINDS[kind]) if spec.name not in COMMON]
    assert list(fields) == attributes
    parameters = [name for name, _, _ in served(descriptor(operation).in_message)]
    for attribute, parameter in zip(attributes, parameters, strict=True):
        assert attribute.replace("_", "") == parameter.lower()
        assert fields[attribute] == parameter


def failure_reason() -> Any:
    message = descriptor("MessageError").in_message
    return message.get_flat_type_info(message)["failurereason"]


@pytest.mark.parametrize("cls", [failure_reason(), MessengerHeader])
def test_the_structures_agree(cls: Any) -> None:
    """The failure reason and the header have the same members in the service and in the WSDL."""
    assert served(cls) == described(f"//s:complexType[@name='{cls.get_type_name()}']")


def test_the_failure_reason_of_a_notification_has_the_same_members() -> None:
    """Its attributes are the contract's, in its order."""
    attributes = [spec.name for spec in dataclasses.fields(notifications.FailureReason)]
    assert [name.replace("_", "") for name in attributes] == [name for name, _, _ in served(failure_reason())]


@pytest.mark.parametrize(
    ("operation", "parameter", "cls"),
    [
        ("MessageReceived", "type", notifications.MessageType),
        ("MessageEvent", "eventtype", notifications.EventType),
        ("MessageError", "errortype", notifications.ErrorType),
        ("SubscriptionEvent", "eventCode", notifications.EventCode),
    ],
)
def test_the_enumerations_agree(operation: str, parameter: str, cls: type[notifications.OpenEnum]) -> None:
    """The service, the WSDL and the notifications list the same values."""
    message = descriptor(operation).in_message
    values = list(message.get_flat_type_info(message)[parameter].__values__)
    assert values == [member.value for member in cls]
    assert values == find(f"//s:simpleType[@name='{cls.__name__}']//s:enumeration/@value")


@pytest.mark.parametrize("operation", [kind.value for kind in Kind])
def test_header_and_soapaction_agree(operation: str) -> None:
    """Every operation takes the header, and its SOAPAction is the contract's."""
    assert descriptor(operation).in_header == (MessengerHeader,)
    assert find(f"//wsdl:binding/wsdl:operation[@name='{operation}']/soap:operation/@soapAction") == [
        soap_action(operation)
    ]
    assert soap_action(operation) == f"com.esendex.ems.soapinterface/{operation}"
