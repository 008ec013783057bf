"""Positional calls: parameters without their names, as stacks send them that do not read the WSDL.

PHP's SoapClient writes ``param0``, SOAP::Lite ``c-gensym3``, Axis and JAX-WS ``arg0`` or ``in0``, SOAPpy ``v1``. Any
other stem with a number is read alike, and in an rpc/encoded call any name, since there the order is what counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from soap_handler.contract import CREDENTIALS, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from soap_handler.contract import Operation

_NUMBERED: Final = re.compile(r"([A-Za-z_][A-Za-z_.-]{0,31})\d{1,9}", re.ASCII)


def names_by_position(elements: Iterable[str], operation: Operation, *, any_names: bool = False) -> Mapping[str, str]:
    """Return the parameter that each element is, by their names; nothing where the call is not positional.

    Every name must be one stem with a number, unless ``any_names`` will do. Their count must be that of the operation,
    or of the credentials and the operation: a parameter too few would shift all the others.
    """
    found = list(elements)
    stems = {match and match[1].lower() for match in map(_NUMBERED.fullmatch, found)}
    if not any_names and (None in stems or len(stems) != 1):
        return {}
    names = [parameter.name for parameter in operation.parameters]
    credentials = [parameter.spellings[Version.SOAP_NO_HEADERS] for parameter in CREDENTIALS]
    if len(found) == len(credentials) + len(names):
        names = credentials + names
    fits = len(set(found)) == len(found) == len(names)
    return dict(zip(found, names, strict=True)) if fits else {}
