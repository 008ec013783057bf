"""Secret files: a secret may be given as ``<name>_file``, the path of a file that holds it.

Relative paths of other settings are completed here too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from soap_handler.settings import introspection

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from soap_handler.settings.introspection import Place

_QUOTES: Final = re.compile(r"""(?:export\s+)?(?:\w+=)?(["']).*\1""", re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNREAD: Final = "unread-unread-unread-unread"
_UNREAD_URL: Final = "sqlite:///unread"
"""Placeholders for a secret that could not be read, so that it is not called missing too; valid in its place."""


def read_secret_files(values: dict[str, Any], model: type[BaseModel], folder: Path, place: Place = ()) -> list[str]:
    """Put the content of each ``<name>_file`` in its place and complete relative paths, in ``values`` itself.

    Returns the problems met. ``folder`` is where relative paths start.
    """
    problems = []
    for name, field in model.model_fields.items():
        inner = introspection.below(field)
        if inner is not None and introspection.named(field) and isinstance(found := values.get(name), dict):
            for key, item in found.items():
                problems += _read_inner(item, inner, folder, (*place, name, key))
        elif inner is not None:
            problems += _read_inner(values.get(name), inner, folder, (*place, name))
        elif introspection.secret(field):
            problems += _read_secret(values, name, folder, place)
        elif introspection.path(field) and isinstance(values.get(name), str):
            values[name] = str(folder / values[name])
    return problems


def _read_inner(found: object, model: type[BaseModel], folder: Path, place: Place) -> list[str]:
    if isinstance(found, dict):
        return read_secret_files(found, model, folder, place)
    listed = enumerate(found) if isinstance(found, list) else ()
    return [
        problem
        for index, item in listed
        if isinstance(item, dict)
        for problem in read_secret_files(item, model, folder, (*place, index))
    ]


def _read_secret(values: dict[str, Any], name: str, folder: Path, place: Place) -> list[str]:
    key = f"{name}_file"
    if key not in values:
        return []
    written = values.pop(key)
    if name in values:
        return [f"{introspection.dotted((*place, name))} and {key} are both given; expected one of them."]
    text, problem = _read(folder, written)
    values[name] = (_UNREAD_URL if name == "url" else _UNREAD) if problem else text
    return [f"{introspection.dotted((*place, key))} {problem}."] if problem else []


def _read(folder: Path, written: object) -> tuple[str, str | None]:
    """Return the text of a file without its last line end, or what is wrong with it. Never any of its content."""
    if not isinstance(written, str) or not written:
        return "", "is no path; expected the path of a file that holds the value"
    try:
        text = (folder / written).read_bytes().decode("utf-8-sig")  # Windows editors put a byte-order mark first
    except OSError as error:
        return "", f"is {written!r}, which cannot be read ({error.strerror}); expected a readable file"
    except ValueError:
        return "", f"is {written!r}, which is not UTF-8 text; expected a text file"
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    flaw = _flaw(text)
    return text, f"is {written!r}, {flaw}" if flaw else None


def _flaw(text: str) -> str | None:
    """Return what an editor or a shell may have left in a file beside the secret, or ``None``.

    Such a secret would be refused by EMS or by the database, for a reason that a person cannot see.
    """
    if "\r" in text or "\n" in text:
        return "which has several lines, or a carriage return (CR); expected one line"
    if _CONTROL.search(text):
        return "which has a control character; expected one line of text"
    if text != text.strip():
        return (
            "which begins or ends with a blank; expected the value alone (one that has a blank goes into the setting)"
        )
    if _QUOTES.fullmatch(text):
        return "whose value stands in quotes, as in an env file; expected the value alone"
    return None
