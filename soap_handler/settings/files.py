"""Settings that lie in files of their own: secrets given as ``<name>_file``. Completes relative paths, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.settings import schema

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from soap_handler.settings.schema import Place

_UNREAD = "sqlite:///unread"
"""Stands in for a secret that could not be read, so that it is not called missing too; fits every secret's rule."""


def settle(values: dict[str, Any], model: type[BaseModel], folder: Path, place: Place = ()) -> list[str]:
    """Put the content of each ``<name>_file`` in its place and complete relative paths, in ``values`` itself.

    Returns the problems met. ``folder`` is where relative paths start.
    """
    problems = []
    for name, field in model.model_fields.items():
        inner = schema.table(field) or schema.tables(field)
        if inner is not None:
            problems += _settle_inner(values.get(name), inner, folder, (*place, name))
        elif schema.secret(field):
            problems += _settle_secret(values, name, folder, place)
        elif schema.path(field) and isinstance(values.get(name), str):
            values[name] = str(folder / values[name])
    return problems


def _settle_inner(found: object, model: type[BaseModel], folder: Path, place: Place) -> list[str]:
    if isinstance(found, dict):
        return settle(found, model, folder, place)
    listed = enumerate(found) if isinstance(found, list) else ()
    return [
        problem
        for index, item in listed
        if isinstance(item, dict)
        for problem in settle(item, model, folder, (*place, index))
    ]


def _settle_secret(values: dict[str, Any], name: str, folder: Path, place: Place) -> list[str]:
    key = f"{name}_file"
    if key not in values:
        return []
    written = values.pop(key)
    if name in values:
        return [f"{schema.dotted((*place, name))} and {key} are both given; expected one of them."]
    text, problem = _read(folder, written)
    values[name] = _UNREAD if problem else text
    return [f"{schema.dotted((*place, key))} {problem}."] if problem else []


def _read(folder: Path, written: object) -> tuple[str, str | None]:
    """Return the text of a file without its last line end, or what is wrong with it. Never any of its content."""
    if not isinstance(written, str) or not written:
        return "", "is no path; expected the path of a file that holds the value"
    try:
        text = (folder / written).read_text(encoding="utf-8")
    except OSError as error:
        return "", f"is {written!r}, which cannot be read ({error.strerror}); expected a readable file"
    except ValueError:
        return "", f"is {written!r}, which is not UTF-8 text; expected a text file"
    return text.removesuffix("\n").removesuffix("\r"), None
