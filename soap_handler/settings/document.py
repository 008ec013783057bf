"""Describes the settings to people: rows for a table of reference, and a configuration file to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr

from soap_handler.settings import schema
from soap_handler.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_HEAD: Final = """\
# The configuration of soap-handler.
# Every line marked "fill in" needs a value. Lines that begin with "#" show defaults and examples.
# Each setting can come from the environment too: server.port is SOAP_HANDLER_SERVER_PORT, and the password of the
# first account's inbox is SOAP_HANDLER_ACCOUNT__0__INBOX__PASSWORD. The environment wins over this file.
"""

_TYPES: Final = {str: "text", SecretStr: "secret text", int: "whole number", float: "number", bool: "true or false"}


class SettingRow(NamedTuple):
    """One setting, all in text. ``default`` is as TOML writes it, or ``required``, or ``unset``."""

    table: str
    name: str
    type: str
    default: str
    description: str


def describe() -> list[SettingRow]:
    """Return a row for every setting, in the order of the file."""
    return list(_rows(Settings, ""))


def template() -> str:
    """Return a commented configuration file, valid TOML once the lines marked ``fill in`` have a value."""
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        model = schema.table(field)
        if model is not None:
            parts.append(f"[{name}]\n{_lines(model)}")
    account = schema.tables(Settings.model_fields["account"])
    inbox = schema.table(account.model_fields["inbox"]) if account else None
    if account and inbox:
        parts.append(f"# One such table for each EMS account.\n[[account]]\n{_lines(account)}")
        parts.append(f"# {account.model_fields['inbox'].description}\n[account.inbox]\n{_lines(inbox)}")
    return "\n".join(parts)


def _rows(model: type[BaseModel], table: str) -> Iterator[SettingRow]:
    later = []
    for name, field in model.model_fields.items():
        inner = schema.table(field) or schema.tables(field)
        place = f"{table}.{name}".lstrip(".")
        if inner is not None:
            later.append((inner, place))
        if inner is None or (table and schema.tables(field)):
            yield SettingRow(table, name, _type(field), _default(field), field.description or "")
        if schema.secret(field):
            yield SettingRow(
                table, f"{name}_file", "path", "unset", f"Path of a file that holds {name}, instead of it."
            )
    for inner, place in later:
        yield from _rows(inner, place)


def _type(field: FieldInfo) -> str:
    kind = next(kind for kind in schema.kinds(field.annotation) if kind is not type(None))
    if get_origin(kind) is Literal:
        return " or ".join(_toml(value) for value in get_args(kind))
    if schema.tables(field) is not None:
        return "list of tables"
    if kind is Path:
        return "path"
    return _TYPES.get(kind, "list of text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "unset" if field.default is None else _toml(field.default)


def _toml(value: Any) -> str:  # noqa: ANN401 - the default of any setting
    """Write a value as TOML; JSON writes text, numbers, switches and lists of them in the same way."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()  # a default is no secret: it is in the source
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _lines(model: type[BaseModel]) -> str:
    return "".join(
        f"# {field.description}\n{_line(name, field)}\n"
        for name, field in model.model_fields.items()
        if schema.table(field) is None
    )


def _line(name: str, field: FieldInfo) -> str:
    pairs = schema.tables(field)
    if pairs is not None:
        pair = ", ".join(f'{key} = ""' for key in pairs.model_fields)
        return f"{name} = [\n  {{ {pair} }}, # fill in\n]"
    if field.is_required():
        return f'{name} = "" # fill in'
    return f"# {name} = {_toml(field.examples[0] if field.examples else field.default)}"
