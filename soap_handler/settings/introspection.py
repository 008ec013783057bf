"""Introspection of the models: what kind of setting is at a place. Knows no values."""

from __future__ import annotations

import difflib
import types
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, SecretStr, create_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

Place = tuple[str | int, ...]
"""Path of a setting: names of tables and indices of lists, such as ``("account", 0, "push", 1, "password")``."""


def kinds(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type expression has no narrower type
    """Return the plain types that an annotation admits, without ``Annotated`` and with unions opened."""
    if get_origin(annotation) is Annotated:
        return kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in kinds(part))
    return (annotation,)


def table(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a table, else ``None``."""
    return next((kind for kind in kinds(field.annotation) if _is_model(kind)), None)


def tables(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the items of a field that is a list of tables, else ``None``."""
    item = items(field)
    return item if _is_model(item) else None


def named(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the tables of a field that has one for each name, else ``None``.

    Where their type decides which model a table is, it is one model with the keys of all types.
    """
    for kind in kinds(field.annotation):
        if get_origin(kind) is dict:
            models = [each for each in kinds(get_args(kind)[1]) if _is_model(each)]
            if models:
                return _merged(tuple(models))
    return None


def below(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the tables that a field holds in any way, else ``None``."""
    return table(field) or tables(field) or named(field)


@cache
def _merged(models: tuple[type[BaseModel], ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (field.annotation, field) for model in models for name, field in model.model_fields.items()
    }
    types_of = [get_args(model.model_fields["type"].annotation)[0] for model in models if "type" in model.model_fields]
    if types_of:
        fields["type"] = (str, Field(description=f"Type of the table: {', '.join(types_of)}."))
    return create_model("AnyOfThem", **fields)


def items(field: FieldInfo) -> Any:  # noqa: ANN401 - a type expression has no narrower type
    """Return the type of the items of a field that is a list, else ``None``."""
    found = (get_args(kind)[0] for kind in kinds(field.annotation) if get_origin(kind) is tuple)
    return next((kinds(item)[0] for item in found), None)


def mapping(field: FieldInfo) -> bool:
    """Whether a field is a table of names that are the customer's own, each with a text."""
    return named(field) is None and any(get_origin(kind) is dict for kind in kinds(field.annotation))


def optional(field: FieldInfo) -> bool:
    """Whether a field may be unset."""
    return type(None) in kinds(field.annotation)


def secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown; such a field may be given as ``<name>_file``."""
    return SecretStr in kinds(field.annotation)


def path(field: FieldInfo) -> bool:
    """Whether a field is the path of a file."""
    return Path in kinds(field.annotation)


def bounds(field: FieldInfo) -> dict[str, float]:
    """Return the bounds of a field that is a number: ``gt`` or ``ge``, and ``le``, the closest where there are two."""
    found: dict[str, float] = {}
    for rule in [*field.metadata, *_rules(field.annotation)]:
        for name in ("gt", "ge", "le"):
            value = getattr(rule, name, None)
            if value is not None:
                found[name] = min(found.get(name, value), value) if name == "le" else max(found.get(name, value), value)
    return found


def _rules(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type expression has no narrower type
    """Yield the rules that stand inside an optional type."""
    if get_origin(annotation) is Annotated:
        for rule in get_args(annotation)[1:]:
            yield from getattr(rule, "metadata", [rule])  # a Field holds several
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _rules(part)


def keys(model: type[BaseModel]) -> list[str]:
    """Return every key that a table may have, ``<name>_file`` of the secret ones included."""
    return [
        key
        for name, field in model.model_fields.items()
        for key in ([name, f"{name}_file"] if secret(field) else [name])
    ]


def inner(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Return the model of the table at a place, or ``None`` if there is no table."""
    found: type[BaseModel] | None = model
    by_name: type[BaseModel] | None = None  # the model of the tables whose name comes next
    for step in place:
        if by_name is not None:
            found, by_name = by_name, None
        elif isinstance(step, str) and found is not None:
            field = found.model_fields.get(step)
            by_name = named(field) if field else None
            found = (table(field) or tables(field)) if field and by_name is None else None
    return found


def field_at(model: type[BaseModel], place: Place) -> FieldInfo | None:
    """Return the field at a place, or at the list that the place is an item of."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    owner = inner(model, place[:-1]) if place else None
    return owner.model_fields.get(str(place[-1])) if owner else None


def dotted(place: Place) -> str:
    """Return a place as the user writes it: ``account[0].push[1].password``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def closest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that the user probably meant."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1)), None)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
