"""Reading of a SOAP request: from its bytes to its header and its operation, and to the texts of a usual call.

Usual is a call as the WSDL has it: each element once, under its own name, and nothing beside. Any other form is left to
``values.py``. The strict parser reads nearly all requests. A request that it refuses is repaired and read again. A
request that cannot be repaired becomes a fault; nothing else is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from spyne.model.fault import Fault

from soap_handler.accounts.authentication import Credentials
from soap_handler.contract import CREDENTIALS, MESSENGER_HEADER, NAMESPACE, OPERATIONS, Structure, Version
from soap_handler.errors import DoctypeError, LimitExceededError, MalformedError
from soap_handler.faces.not_xml import what_came
from soap_handler.faces.soap.faults import VERSION_MISMATCH, MustUnderstandFault, client_fault
from soap_handler.faces.soap.service import ReadCall
from soap_handler.faces.soap.versions import VERSIONS, SoapVersion
from soap_handler.xml.charsets import charset_of
from soap_handler.xml.parser import Document, Limits, read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element as Element

    from soap_handler.contract import Parameter
    from soap_handler.faces.soap.service import Call
    from soap_handler.notifications import Kind
    from soap_handler.receive.push import Fields

Members: TypeAlias = "dict[str, tuple[str, Members | None]]"
"""By tag: the attribute, and the members of a structure."""

_OUR_BLOCK: Final = f"{{{NAMESPACE}}}{MESSENGER_HEADER}"


def _by_tag(parameters: Iterable[Parameter], version: Version = Version.SOAP) -> Members:
    return {
        f"{{{NAMESPACE}}}{each.spellings[version]}": (
            each.attribute,
            _by_tag(each.type.members) if isinstance(each.type, Structure) else None,
        )
        for each in parameters
    }


_CREDENTIALS: Final = _by_tag(CREDENTIALS)
_OPERATIONS: Final = {
    f"{{{NAMESPACE}}}{kind.value}": (kind, _by_tag(operation.parameters)) for kind, operation in OPERATIONS.items()
}
_LOGIN: Final = _by_tag(CREDENTIALS, Version.SOAP_NO_HEADERS)
_OPERATIONS_WITH_LOGIN: Final = {tag: (kind, _LOGIN | members) for tag, (kind, members) in _OPERATIONS.items()}


class UnusualError(Exception):
    """A call has not the usual form; it may well be accepted."""


NOT_USUAL: Final = (UnusualError, ValueError, LookupError)
"""What the functions for the usual form raise where a call has another one."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a SOAP message that the service needs."""

    header: tuple[Element, ...]
    operation: Element
    operation_name: str
    """Its name, in whatever namespace."""
    root: Element
    """The whole envelope."""
    others: tuple[Element, ...] = ()
    """Further elements of the Body: operations, values to which others refer, or anything."""
    escaped: bool = False
    """Whether its texts may hold escape sequences, which :func:`soap_handler.xml.repair.restore` turns back."""
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired in it."""
    call: ReadCall | None = None
    """What it says, where that has the usual form."""


def read_envelope(body: bytes, call: Call, limits: Limits = Limits()) -> Envelope:  # noqa: B008 - frozen
    """Return the envelope in a request's body. Its version and whether it has our header are noted in ``call`` at once.

    Raises:
        Fault: the bytes are not XML, or not a SOAP message with an operation.
    """
    document = _read(body, call.content_type, limits)
    call.version = version = _version(document.root)
    head, content = _parts(document.root, version)
    header = () if head is None else tuple(_elements(head))
    call.has_header = any(local_name(block).lower() == MESSENGER_HEADER.lower() for block in header)
    _check_understood(header, version)
    operations = tuple(_elements(content))
    if not operations:
        raise client_fault("The Body of the envelope is empty")
    if operations[0].tag == version.fault:
        raise client_fault("The Body of the envelope holds a Fault; expected an operation")
    name = local_name(operations[0])
    root, others = document.root, operations[1:]
    usual = None if document.repaired else _usual_call(root, head, content, version)
    return Envelope(header, operations[0], name, root, others, document.escaped, document.repaired, usual)


def _read(body: bytes, content_type: str, limits: Limits) -> Document:
    if not body.strip():
        raise client_fault("The request is empty; expected a SOAP envelope")
    try:
        return read_document(body, charset_of(content_type), limits)
    except (DoctypeError, MalformedError) as error:
        raise client_fault(_unread(error, body, content_type)) from error
    except LimitExceededError as error:
        raise client_fault(str(error)) from error


def _unread(error: DoctypeError | MalformedError, body: bytes, content_type: str) -> str:
    came = what_came(body, content_type)
    if came is not None:
        return f"The request is {came}; expected a SOAP envelope"
    if isinstance(error, DoctypeError):
        return "The request has a document type declaration, which SOAP forbids"
    return "The request is not well-formed XML"


def _version(root: Element) -> SoapVersion:
    if local_name(root) != "Envelope":
        raise client_fault("The request is not a SOAP envelope")
    version = next((each for each in VERSIONS if root.tag == each.envelope), None)
    if version is None:
        raise Fault(VERSION_MISMATCH, "Only SOAP 1.1 and SOAP 1.2 are understood here")
    return version


def _parts(root: Element, version: SoapVersion) -> tuple[Element | None, Element]:
    bodies = root.findall(version.body)
    if not bodies:
        raise client_fault("The envelope has no Body")
    if len(bodies) > 1:
        raise client_fault("The envelope has more than one Body")
    return root.find(version.header), bodies[0]


def local_name(element: Element) -> str:
    """Return an element's name without its namespace. lxml's ``QName`` refuses some namespaces, so it is not used."""
    return str(element.tag).rpartition("}")[2]


def _elements(parent: Element) -> Iterator[Element]:
    return (child for child in parent if isinstance(child.tag, str))  # an unresolved entity's tag is a function


def _check_understood(header: tuple[Element, ...], version: SoapVersion) -> None:
    """Refuse header blocks that must be understood and are not ours (SOAP 1.1, 4.2.3; SOAP 1.2, part 1, 5.2.3)."""
    unknown = [
        str(block.tag)
        for block in header
        if block.get(version.must_understand, "").strip() in {"1", "true"}
        and block.get(version.role, "").strip() in version.our_roles
        and str(block.tag).lower() != _OUR_BLOCK.lower()
    ]
    if unknown:
        raise MustUnderstandFault(unknown)


def _usual_call(root: Element, head: Element | None, body: Element, version: SoapVersion) -> ReadCall | None:
    """Return what an envelope says, where all of it has the usual form."""
    parts = [root, body] if head is None else [root, head, body]
    if len(root) != len(parts) - 1 or any(part.keys() or has_loose_text(part) for part in parts):
        return None
    try:
        login = None if head is None or not len(head) else header_login(head, version)
        (operation,) = body
        kind, fields, credentials = usual_operation(operation, login)
    except NOT_USUAL:
        return None
    return ReadCall(kind, credentials, fields, repaired=(), doubtful=frozenset())


def header_login(head: Element, version: SoapVersion) -> Credentials:
    """Return the credentials of a header that holds nothing else.

    Raises:
        UnusualError, ValueError, LookupError: it has not the usual form.
    """
    (block,) = head
    if block.tag != _OUR_BLOCK or set(block.keys()) - {version.must_understand}:
        raise UnusualError
    return _login(_texts(block, _CREDENTIALS))


def usual_operation(operation: Element, login: Credentials | None) -> tuple[Kind, Fields, Credentials]:
    """Return what an operation says; without a ``login`` from the header, it has one before the parameters.

    Raises:
        UnusualError, LookupError: it has not the usual form.
    """
    kind, members = (_OPERATIONS if login else _OPERATIONS_WITH_LOGIN)[operation.tag]
    if operation.keys():
        raise UnusualError
    texts = _texts(operation, members)
    login = login or _login({each.attribute: texts.pop(each.attribute) for each in CREDENTIALS})
    if not texts:
        raise UnusualError  # a login, and none of the parameters
    return kind, texts, login


def _login(texts: dict[str, Any]) -> Credentials:
    if len(texts) != len(CREDENTIALS) or not (texts["username"] or texts["password"]):
        raise UnusualError  # some may stand elsewhere
    return Credentials(**texts)


def _texts(parent: Element, wanted: Members) -> dict[str, Any]:
    """Return the texts of the children by attribute; those of a structure as a mapping."""
    texts: dict[str, Any] = {}
    for child in parent:
        attribute, members = wanted[child.tag]
        if child.keys() or (members is None and len(child)):
            raise UnusualError
        texts[attribute] = (child.text or "") if members is None else _texts(child, members)
        if (behind := child.tail) is not None and not behind.isspace():
            raise UnusualError  # it may be a value without its element
    if len(texts) != len(parent) or not texts or _is_said(parent.text):
        raise UnusualError
    return texts


def has_loose_text(parent: Element) -> bool:
    """Whether there is a text between the elements."""
    return _is_said(parent.text) or any(_is_said(child.tail) for child in parent)


def _is_said(text: str | None) -> bool:
    return text is not None and not text.isspace()
