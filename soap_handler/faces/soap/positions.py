"""Positional calls: parameters without their names, as stacks send them that do not read the WSDL.

PHP's SoapClient writes ``param0``, SOAP::Lite ``c-gensym3``, Axis and JAX-WS ``arg0`` or ``in0``, SOAPpy ``v1``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from soap_handler.contract import CREDENTIALS, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from soap_handler.contract import Operation

_POSITIONAL: Final = re.compile(r"(?:param|arg|in|v|[cs]-gensym)\d{1,9}", re.ASCII)


def names_by_position(elements: Iterable[str], operation: Operation) -> Mapping[str, str]:
    """Return the parameter that each element is, by their names; nothing where the call is not positional.

    Every name must be positional, and their count that of the operation, or of the credentials and the operation: a
    parameter too few would shift all the others.
    """
    found: list[str] = []
    for name in elements:
        if not _POSITIONAL.fullmatch(name):
            return {}
        found.append(name)
    names = [parameter.name for parameter in operation.parameters]
    credentials = [parameter.spellings[Version.SOAP_NO_HEADERS] for parameter in CREDENTIALS]
    if len(found) == len(credentials) + len(names):
        names = credentials + names
    fits = len(set(found)) == len(found) == len(names)
    return dict(zip(found, names, strict=True)) if fits else {}
