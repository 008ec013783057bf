"""The same calls without the names of their parameters, as stacks send them that read no WSDL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.contract import NAMESPACE
from soap_handler.notifications import Kind
from tests.corpus.messages import XSI, Message, element, message, repaired_as
from tests.corpus.structures import ENCODING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Mutation = Callable[[Message], Message]

_RPC: Final = ("m:", f'xmlns:m="{NAMESPACE}" {ENCODING}')


def _values(told: Message) -> list[bytes]:
    return [told.written(name) for name in told.parts]


def _numbered(name: str, values: list[bytes], start: int = 0, step: int = 1) -> dict[str, bytes]:
    names = [f"{name}{start + step * number}" for number in range(len(values))]
    return {
        each: element(each, value, f'{XSI} xsi:type="xsd:string"') for each, value in zip(names, values, strict=True)
    }


def _php(told: Message) -> Message:
    parts = _numbered("param", _values(told))
    return replace(repaired_as(told, "encoded call", "positional call"), operation=_RPC, parts=parts)


def _perl(told: Message) -> Message:
    parts = _numbered("c-gensym", _values(told), start=7, step=2)
    return replace(repaired_as(told, "encoded call", "positional call"), operation=_RPC, parts=parts)


def _java(told: Message) -> Message:
    """Return the call as document/literal stubs of JAX-WS write it, in the namespace of the service."""
    parts = {name: element(name, value) for name, value in zip(_args(told), _values(told), strict=True)}
    return replace(repaired_as(told, "positional call"), parts=parts)


def _args(told: Message) -> list[str]:
    return [f"arg{number}" for number in range(len(told.parts))]


POSITIONS: Final[dict[str, Mutation]] = {
    "PHP without a WSDL": _php,
    "SOAP::Lite without names": _perl,
    "JAX-WS without names": _java,
}


def positions() -> Iterator[tuple[str, Message]]:
    for case, change in POSITIONS.items():
        for kind in Kind:
            yield f"{kind}: {case}", change(message(kind, case))
