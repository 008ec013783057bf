"""The test form: who is shown it, its fields, and the request that a filled-in form becomes.

That request goes the way of every push, so it needs a password, is journaled, and reaches the handlers.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from soap_handler.contract import CREDENTIALS, OPERATIONS, Type
from soap_handler.faces.base import PATH
from soap_handler.web.client_address import read_address
from soap_handler.web.pages.example_values import flat, fresh_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from wsgiref.types import WSGIEnvironment

    from soap_handler.contract import Operation, Parameter
    from soap_handler.web.pages.styles import Message, Style, Values

TEST_PATH: Final = f"{PATH}/test"
"""The path to which a filled-in form is posted. It is no face's: EMS pushes nothing to it."""

MASK: Final = "********"
"""Stands for the password in the request that is shown."""

_MAX_FORM: Final = 65536
"""Bytes of a filled-in form."""
_LOCAL_HOST: Final = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?", re.IGNORECASE | re.ASCII)
_PROXY_HEADERS: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form."""

    name: str
    label: str
    value: str
    options: Sequence[str] = ()
    """The values to choose from; empty where it takes any text."""
    is_long: bool = False
    is_secret: bool = False


def is_local(environ: WSGIEnvironment) -> bool:
    """Whether a request comes from a browser on this machine, as far as can be told.

    Behind a proxy on this machine each caller has a local address. So a request that says it was forwarded is not
    local, nor is one that calls this machine by a public name.
    """
    address = read_address(environ.get("REMOTE_ADDR", ""))
    if address is None or not address.is_loopback or any(environ.get(name) for name in _PROXY_HEADERS):
        return False
    return _LOCAL_HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None


def is_cross_site(environ: WSGIEnvironment) -> bool:
    """Whether a browser says that a page of another site sends this form."""
    return environ.get("HTTP_SEC_FETCH_SITE", "none") not in {"none", "same-origin"}


def fields(operation: Operation) -> Iterator[Field]:
    """Return the fields for an operation: credentials first, then values of a new notification."""
    values = fresh_values()
    for parameter in CREDENTIALS:
        is_secret = parameter.attribute == "password"
        yield Field(parameter.attribute, parameter.name, values[parameter.attribute], is_secret=is_secret)
    for parameter in flat(operation):
        is_long = parameter.attribute == "body"
        value = values[parameter.attribute]
        yield Field(parameter.attribute, parameter.name, value, _options(parameter), is_long=is_long)


def _options(parameter: Parameter) -> Sequence[str]:
    if isinstance(parameter.type, type) and issubclass(parameter.type, StrEnum):
        return [member.value for member in parameter.type]
    return ["true", "false"] if parameter.type is Type.BOOLEAN else []


def read_form(environ: WSGIEnvironment) -> Mapping[str, str] | None:
    """Return what was filled in, by the names of the fields; ``None`` for what is no such form."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"\d{1,9}", length, re.ASCII) or int(length) > _MAX_FORM:
        return None
    body = environ["wsgi.input"].read(int(length)).decode("ascii", "replace")
    pairs = parse_qsl(body, keep_blank_values=True, errors="replace")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def chosen(form: Mapping[str, str], styles: Sequence[Style]) -> tuple[Operation, Style] | None:
    """Return the operation and the version that were chosen, or ``None`` where there is no such one."""
    operation = next((each for each in OPERATIONS.values() if each.kind.value == form.get("operation")), None)
    style = next((each for each in styles if each.name == form.get("version")), None)
    return (operation, style) if operation and style else None


def values_of(form: Mapping[str, str], operation: Operation) -> Values:
    """Return the values to send; a field that the form lacks is empty."""
    return {**fresh_values(), **{field.name: form.get(field.name, "") for field in fields(operation)}}


def environ_of(message: Message, path: str, environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the environment of the push that a form becomes: from the same caller, on the same connection."""
    body = message.body.encode()
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in message.headers.items()}
    return {
        **{name: value for name, value in environ.items() if name not in {"HTTP_COOKIE", "HTTP_AUTHORIZATION"}},
        **headers,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": headers.pop("HTTP_CONTENT_TYPE"),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
