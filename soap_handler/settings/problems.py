"""Error messages: one sentence for each problem that pydantic reports. Never shows a secret's value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from soap_handler.settings import introspection
from soap_handler.settings.model import NAMES_CLASH, NO_ACCOUNT, Settings
from soap_handler.settings.sinks import SINKS
from soap_handler.settings.table import SENTENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from soap_handler.settings.introspection import Place

_SHOWN_CHARACTERS: Final = 200

_NO_TYPE: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
_EXPECTED: Final[Mapping[str, str]] = {
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
    "string_unicode": "UTF-8 text",
    "path_type": "text in quotes",
    "string_too_short": "some text",
    "too_short": "some text",
    "tuple_type": "a list",
    "greater_than": "more than {gt:.12g}",
    "greater_than_equal": "at least {ge:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_pattern_mismatch": "a name of small letters, digits, - and _",
    "value_error": "{error}",
}


def sentences(error: ValidationError, origins: Mapping[Place, str]) -> list[str]:
    """Return the problems in ``error``, name clashes left out.

    ``origins`` names the environment variable, or the old name in the file, that a value came from.
    """
    details = error.errors(include_url=False)
    return [_sentence(detail, origins) for detail in details if detail["type"] != NAMES_CLASH]


def _sentence(detail: ErrorDetails, origins: Mapping[Place, str]) -> str:
    place = _place(detail["loc"])
    origin = origins.get(place)
    name = introspection.dotted(place) + (f" (from {origin})" if origin else "")
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a setting{_known(place, detail['loc'])}."
    if detail["type"] == NO_ACCOUNT:
        return "There is no account; expected at least one [[account]] table (or SOAP_HANDLER_ACCOUNT__0__REFERENCE)."
    if detail["type"] == SENTENCE:
        return detail["msg"]
    if detail["type"] in _NO_TYPE:
        return f"{name}.type is missing, or no type of a sink; expected one of {', '.join(SINKS)}."
    if detail["type"] == "missing":
        return f"{name} is missing; expected {_wanted(place)}."
    return f"{name} is {_found(place, detail['input'])}; expected {_expected(detail, place)}."


def _place(location: Place) -> Place:
    """Return the place of a problem: pydantic puts the type of a sink after its name."""
    return (*location[:2], *location[3:]) if location[0] == "sink" and len(location) > 3 else location


def _known(place: Place, location: Place) -> str:
    """Say which setting was probably meant, or which ones there are; those of a sink depend on its type."""
    model = SINKS[str(location[2])] if place != location else introspection.inner(Settings, place[:-1])
    keys = introspection.keys(model) if model else []
    match = introspection.closest(str(place[-1]), keys)
    return f"; perhaps {match} is meant" if match else f"; expected one of {', '.join(keys)}"


def _wanted(place: Place) -> str:
    field = introspection.field_at(Settings, place)
    return f"it, or {place[-1]}_file" if field and introspection.secret(field) else "some text"


def _expected(detail: ErrorDetails, place: Place) -> str:
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "a table"
    if place == ("account",) and detail["type"] == "tuple_type":
        return "tables that begin with [[account]], in double brackets"
    pattern = _EXPECTED.get(detail["type"])
    return pattern.format(**detail.get("ctx", {})) if pattern else detail["msg"]


def _found(place: Place, value: object) -> str:
    """Describe a value; show it only where a value is expected that is no secret."""
    field = introspection.field_at(Settings, place)
    if value in ("", (), []):
        return "empty"
    shown = field is not None and not introspection.secret(field) and introspection.below(field) is None
    if field is not None and introspection.secret(field) and isinstance(value, str | SecretStr):
        return "of another form (not shown)"
    return _shown(value) if shown else _kind(value)


def _shown(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        # An address may hold a password before its @ or in its query, even a malformed address that cannot be parsed.
        text = re.sub(r".*@", "***@", value, flags=re.DOTALL)
        text = re.sub(r"(://[^?]*)[?].*", r"\1?***", text, flags=re.DOTALL)
        return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
    return _kind(value)


def _number(value: float) -> str:
    try:
        return f"{value}"[:_SHOWN_CHARACTERS]
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"


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
