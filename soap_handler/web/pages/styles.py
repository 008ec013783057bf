"""Serialisation of one notification in each version of the API, made from the contract's table, with its HTTP head.

What the pages show and what the test form sends both come from here. The service itself reads; it writes nothing here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape

from soap_handler.contract import (
    CREDENTIALS,
    MESSENGER_HEADER,
    NAMESPACE,
    SOAP_11,
    SOAP_12,
    Structure,
    Type,
    Version,
    soap_action,
)
from soap_handler.faces.base import PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from soap_handler.contract import Operation, Parameter

    Values: TypeAlias = Mapping[str, str]
    """Texts by the attributes of the contract's table: of the notification, its structures and the credentials."""

_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f]")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Message:
    """A request without its address, or the body of an answer with its type."""

    headers: Mapping[str, str]
    body: str

    def request_head(self, address: str) -> str:
        """Return first line and headers of a request to this address."""
        url = urlsplit(address)
        return self._head(f"POST {url.path} HTTP/1.1", f"Host: {url.netloc}")

    @property
    def answer_head(self) -> str:
        """First line and headers of an answer that confirms."""
        return self._head("HTTP/1.1 200 OK")

    def _head(self, *first: str) -> str:
        length = f"Content-Length: {len(self.body.encode())}"
        return "\n".join([*first, *(f"{name}: {value}" for name, value in self.headers.items()), length])


@dataclass(frozen=True, slots=True)
class Style:
    """A version of the API as it looks on the wire."""

    name: str
    """For addresses and forms."""
    title: str
    path: str
    """The path that takes it."""
    version: Version
    """Whose spellings it uses."""
    request: Callable[[Operation, Values], Message]
    answer: Callable[[Operation], Message]
    """What confirms a notification."""

    @property
    def is_xml(self) -> bool:
        """Whether a request is XML, in lines of their own; a form is one long line."""
        return self.version is not Version.FORM_POST


def _soap_11(operation: Operation, values: Values) -> Message:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action(operation.kind)}"'}
    return Message(headers, _with_header(SOAP_11, operation, values))


def _soap_12(operation: Operation, values: Values) -> Message:
    content_type = f'application/soap+xml; charset=utf-8; action="{soap_action(operation.kind)}"'
    return Message({"Content-Type": content_type}, _with_header(SOAP_12, operation, values))


def _soap_no_headers(operation: Operation, values: Values) -> Message:
    version = Version.SOAP_NO_HEADERS
    content = [*_elements(CREDENTIALS, version, values), *_elements(operation.parameters, version, values)]
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action(operation.kind)}"'}
    return Message(headers, _envelope(SOAP_11, _parent("soap:Body", _parent(operation.kind, content, NAMESPACE))))


def _form_post(operation: Operation, values: Values) -> Message:
    version = Version.FORM_POST
    credentials = [(each.spellings[version], values[each.attribute]) for each in CREDENTIALS]
    fields = [(each.spellings[version], _text(each, version, values)) for each in _having(operation, version)]
    body = urlencode([*credentials, ("notificationType", operation.kind.value), *fields])
    return Message({"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, body)


def _xml_push(operation: Operation, values: Values) -> Message:
    version = Version.XML_PUSH
    login = b64encode(f"{values['username']}:{values['password']}".encode()).decode()
    content = [
        f"<Id>{escape(values['notification_id'])}</Id>",
        *_elements(CREDENTIALS, version, values),
        *_elements(operation.parameters, version, values),
    ]
    headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {login}"}
    return Message(headers, _document(_parent(operation.xml_push, content)))


def _soap_answer(namespace: str, content_type: str) -> Callable[[Operation], Message]:
    def answer(operation: Operation) -> Message:
        content = [f'<{operation.kind.value}Response xmlns="{NAMESPACE}"/>']
        return Message({"Content-Type": content_type}, _envelope(namespace, _parent("soap:Body", content)))

    return answer


def _plain_answer(_operation: Operation) -> Message:
    return Message({"Content-Type": "text/plain; charset=utf-8"}, "OK\n")


_SOAP_11_ANSWER: Final = _soap_answer(SOAP_11, "text/xml; charset=utf-8")
_SOAP_12_ANSWER: Final = _soap_answer(SOAP_12, "application/soap+xml; charset=utf-8")
# fmt: off
STYLES: Final = (
    #     name               title               path            spellings                what makes request and answer
    Style("soap11",          "SOAP 1.1",         PATH,           Version.SOAP,            _soap_11, _SOAP_11_ANSWER),
    Style("soap12",          "SOAP 1.2",         PATH,           Version.SOAP,            _soap_12, _SOAP_12_ANSWER),
    Style("soap-no-headers", "SOAP, no headers", PATH,           Version.SOAP_NO_HEADERS, _soap_no_headers, _SOAP_11_ANSWER),  # noqa: E501
    Style("form",            "Form Post",        f"{PATH}.aspx", Version.FORM_POST,       _form_post, _plain_answer),
    Style("xml-push",        "XML push",         "/push",        Version.XML_PUSH,        _xml_push, _plain_answer),
)
# fmt: on
"""Every version of the API, in the order of the pages."""


def _with_header(namespace: str, operation: Operation, values: Values) -> str:
    credentials = _parent(MESSENGER_HEADER, _elements(CREDENTIALS, Version.SOAP, values), NAMESPACE)
    parameters = _elements(operation.parameters, Version.SOAP, values)
    body = _parent("soap:Body", _parent(operation.kind.value, parameters, NAMESPACE))
    return _envelope(namespace, [*_parent("soap:Header", credentials), *body])


def _envelope(namespace: str, content: Iterable[str]) -> str:
    opening, *rest = _parent("soap:Envelope", content)
    return _document([opening.replace(">", f' xmlns:soap="{namespace}">'), *rest])


def _document(lines: Iterable[str]) -> str:
    return "\n".join([_DECLARATION, *lines])


def _parent(name: str, content: Iterable[str], namespace: str = "") -> list[str]:
    declaration = f' xmlns="{namespace}"' if namespace else ""
    return [f"<{name}{declaration}>", *(f"  {line}" for line in content), f"</{name}>"]


def _having(operation: Operation, version: Version) -> Iterator[Parameter]:
    return (each for each in operation.parameters if version in each.spellings)


def _elements(parameters: Iterable[Parameter], version: Version, values: Values) -> Iterator[str]:
    """Return an element for each parameter that the version has. A structure without any value is left out."""
    for parameter in parameters:
        if version not in parameter.spellings:
            continue
        *parents, name = parameter.spellings[version].split("/")
        if isinstance(parameter.type, Structure):
            if any(values.get(each.attribute) for each in parameter.type.members):
                yield from _parent(name, _elements(parameter.type.members, version, values))
            continue
        element = [f"<{name}>{_escaped(_text(parameter, version, values))}</{name}>"]
        for parent in reversed(parents):
            element = _parent(parent, element)
        yield from element


def _text(parameter: Parameter, version: Version, values: Values) -> str:
    """Return the text of a value. A time in UTC is written as the version has it (contract, section 3)."""
    text = values.get(parameter.attribute, "")
    found = _TIME.fullmatch(text) if parameter.type is Type.TIME else None
    if found is None or version in {Version.SOAP, Version.SOAP_NO_HEADERS}:
        return text
    return f"{found[1]} {found[2]}Z" if version is Version.FORM_POST else f"{found[1]}T{found[2]}"


def _escaped(text: str) -> str:
    """Escape a text as .NET does: control characters become references (contract, section 4)."""
    return _CONTROL.sub(lambda found: f"&#x{ord(found[0]):X};", escape(text))
