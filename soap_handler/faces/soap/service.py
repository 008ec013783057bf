"""The Account Event Handler as spyne knows it: types and operations, made from the contract's table."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from spyne.decorator import rpc
from spyne.model.complex import ComplexModel
from spyne.model.enum import Enum
from spyne.model.primitive import Boolean, DateTime, Integer32, Unicode
from spyne.service import Service

from soap_handler.contract import CREDENTIALS, MESSENGER_HEADER, NAMESPACE, OPERATIONS, Structure, Type
from soap_handler.faces.soap.versions import SOAP_1_1, SoapVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from soap_handler.accounts.authentication import Credentials
    from soap_handler.contract import Operation, Parameter, ParameterType
    from soap_handler.notifications import Kind
    from soap_handler.receive.push import Fields

_SIMPLE: Final[dict[Any, Any]] = {
    Type.TEXT: Unicode,
    Type.ID: Unicode,
    Type.TIME: DateTime,
    Type.NUMBER: Integer32,
    Type.BOOLEAN: Boolean,
}


@dataclass(frozen=True, slots=True)
class ReadCall:
    """What one operation says."""

    kind: Kind
    credentials: Credentials | None
    fields: Fields
    """The texts of the parameters that came."""
    repaired: tuple[str, ...]
    """Marks of what was repaired, or left unread."""
    doubtful: frozenset[str]
    """Attributes of which more than one text came, or one in a doubtful place."""


@dataclass(slots=True)
class Call:
    """One call while spyne reads it (its context's ``udc``): what the protocol and the operation find in it."""

    kind: Kind = field(init=False)
    fields: Fields = field(init=False)
    credentials: Credentials | None = None
    repaired: tuple[str, ...] = ()
    """Marks of what was repaired."""
    doubtful: frozenset[str] = frozenset()
    """Attributes of which more than one text came, or one in a doubtful place."""
    others: tuple[ReadCall, ...] = ()
    """Further operations of the Body."""
    has_header: bool = True
    """Whether there is a MessengerHeader, with a login or without."""
    content_type: str = ""
    """The Content-Type of the request."""
    version: SoapVersion = SOAP_1_1
    """The version to answer in: the envelope's, or the one that the Content-Type announces until that is read."""


def _type(kind: ParameterType) -> Any:  # noqa: ANN401 - spyne's types have no common class
    if isinstance(kind, Structure):
        return _structure(kind.cls.__name__, kind.members)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Enum(*(member.value for member in kind), type_name=kind.__name__)
    return _SIMPLE[kind]


def _member(parameter: Parameter) -> tuple[str, Any]:
    """Return name and type. Value types are mandatory and reference types are not (contract, section 1)."""
    occurs = 1 if parameter.is_value_type else 0
    return parameter.name, _type(parameter.type).customize(min_occurs=occurs, nillable=False)


def _structure(name: str, members: Iterable[Parameter]) -> Any:  # noqa: ANN401 - see above
    return type(name, (ComplexModel,), {"__namespace__": NAMESPACE, "_type_info": [*map(_member, members)]})


def _method(operation: Operation, function: Callable[..., None]) -> Any:  # noqa: ANN401 - see above
    """Make spyne's method of an operation."""
    members = dict(map(_member, operation.parameters))
    function.__name__ = operation.kind.value
    return rpc(*members.values(), _args=[*members])(function)


MessengerHeader: Final = _structure(MESSENGER_HEADER, CREDENTIALS)


def account_event_handler(function: Callable[[Operation], Callable[..., None]]) -> Any:  # noqa: ANN401 - see above
    """Return the service, each of whose operations runs what ``function`` gives for it.

    It is called with spyne's context, and with each parameter as a text or ``None``.
    """
    methods = {kind.value: _method(operation, function(operation)) for kind, operation in OPERATIONS.items()}
    return type("AccountEventHandler", (Service,), {"__in_header__": MessengerHeader, **methods})
