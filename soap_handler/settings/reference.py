"""Reference of the settings: one row of text for each, in the order of the file. The settings page is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr

from soap_handler.settings import introspection
from soap_handler.settings.model import Settings
from soap_handler.settings.sinks import SINKS, SinkSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

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


def toml(value: Any) -> str:  # noqa: ANN401 - the default of any setting
    """Return a value as TOML; JSON writes text, numbers, booleans and lists of them in the same way."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()  # a default is no secret: it is in the source
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _rows(model: type[BaseModel], table: str) -> Iterator[SettingRow]:
    later = []
    for name, field in model.model_fields.items():
        inner = introspection.below(field)
        if introspection.named(field):
            yield from _sinks(name)
            continue
        if inner is not None:
            later.append((inner, f"{table}.{name}".lstrip(".")))
        if inner is None or (table and introspection.tables(field)):
            yield SettingRow(table, name, _type(field), _default(field), f"{field.description}{_range(field)}")
        if introspection.secret(field):
            meaning = f"Path of a file that holds {name}, instead of it."
            yield SettingRow(table, f"{name}_file", "path", "unset", meaning)
    for inner, place in later:
        yield from _rows(inner, place)


def _sinks(name: str) -> Iterator[SettingRow]:
    """Return the settings that all sinks have, and after them those of each type: its own, and what differs in it."""
    shared = {row.name: row for row in _rows(SinkSettings, f"{name}.NAME")}
    yield from shared.values()
    for kind, model in SINKS.items():
        for row in _rows(model, f"{name}.NAME, type = {toml(kind)}"):
            if row.name != "type" and row._replace(table=f"{name}.NAME") != shared.get(row.name):
                yield row


def _type(field: FieldInfo) -> str:
    kind = next(kind for kind in introspection.kinds(field.annotation) if kind is not type(None))
    if get_origin(kind) is Literal:
        return " or ".join(toml(value) for value in get_args(kind))
    if introspection.tables(field) is not None:
        return "list of tables"
    if introspection.mapping(field):
        return "table"
    if kind is Path:
        return "path"
    return _TYPES.get(kind, "list of text")


def _range(field: FieldInfo) -> str:
    """Return the bounds of a number, as far as it has some."""
    bounds = introspection.bounds(field)
    words = {"gt": "above {:,.12g}", "ge": "from {:,.12g}", "le": "to {:,.12g}"}
    told = [words[name].format(bounds[name]) for name in words if name in bounds]
    return f" {' '.join(told).capitalize()}." if told else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "unset" if field.default is None else toml(field.default)
