"""Turns what pydantic reports into one sentence for each problem. Never shows a secret's value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from soap_handler.settings import schema
from soap_handler.settings.model import NAMES_CLASH, NO_ACCOUNT, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from soap_handler.settings.schema import Place

_LONGEST = 200

_EXPECTED: Mapping[str, str] = {
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "path_type": "text in quotes",
    "string_too_short": "some text",
    "too_short": "some text",
    "tuple_type": "a list",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "value_error": "{error}",
}


def sentences(error: ValidationError, variables: Mapping[Place, str]) -> list[str]:
    """Return the problems in ``error``, name clashes left out. ``variables`` names the variable behind a place."""
    details = error.errors(include_url=False)
    return [_sentence(detail, variables) for detail in details if detail["type"] != NAMES_CLASH]


def _sentence(detail: ErrorDetails, variables: Mapping[Place, str]) -> str:
    place: Place = detail["loc"]
    variable = variables.get(place)
    name = schema.dotted(place) + (f" (from {variable})" if variable else "")
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a setting{_known(place)}."
    if detail["type"] == NO_ACCOUNT:
        return "There is no account; expected at least one [[account]] table (or SOAP_HANDLER_ACCOUNT__0__REFERENCE)."
    if detail["type"] == "missing":
        return f"{name} is missing; expected {_wanted(place)}."
    return f"{name} is {_found(place, detail['input'])}; expected {_expected(detail, place)}."


def _known(place: Place) -> str:
    """Say which setting was probably meant, or which ones there are."""
    model = schema.inner(Settings, place[:-1])
    keys = schema.keys(model) if model else []
    match = schema.closest(str(place[-1]), keys)
    return f"; perhaps {match} is meant" if match else f"; expected one of {', '.join(keys)}"


def _wanted(place: Place) -> str:
    field = schema.field_at(Settings, place)
    return f"it, or {place[-1]}_file" if field and schema.secret(field) else "some text"


def _expected(detail: ErrorDetails, place: Place) -> str:
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "a table"
    if place == ("account",) and detail["type"] == "tuple_type":
        return "tables that begin with [[account]], in double brackets"
    pattern = _EXPECTED.get(detail["type"])
    return pattern.format(**detail.get("ctx", {})) if pattern else detail["msg"]


def _found(place: Place, value: object) -> str:
    """Describe a value; show it only where a value is expected that is no secret."""
    field = schema.field_at(Settings, place)
    if value in ("", (), []):
        return "empty"
    shown = (
        field is not None and not schema.secret(field) and schema.table(field) is None and schema.tables(field) is None
    )
    if field is not None and schema.secret(field) and isinstance(value, str | SecretStr):
        return "of another form (not shown)"
    return _shown(value) if shown else _kind(value)


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever TOML can hold
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value}"[:_LONGEST]
    if isinstance(value, str):
        text = re.sub(r".*@", "***@", value, flags=re.DOTALL)  # an address may hold a password, in whatever wrong form
        return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    return _kind(value)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        dict: "a table",
        list: "a list",
    }
    names |= {str: "text", type(None): "unset"}
    return names.get(type(value), "something else")
