"""Environment variables: ``SOAP_HANDLER_`` names overlay the values of the file. Names are checked, values not."""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Final

from soap_handler.settings import introspection
from soap_handler.settings.model import Settings
from soap_handler.settings.renamed import Rename, rename_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from soap_handler.settings.introspection import Place

PREFIX: Final = "SOAP_HANDLER_"
_NOT_SETTINGS: Final = frozenset({"CONFIG"})  # the path of the file: the command line reads it
_SERVICE_LINK = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_INDEX = re.compile(r"0|[1-9]\d{0,3}")


class Environment:
    """Values from the environment by place, with the name of the variable behind each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.values: dict[Place, Any] = {}
        self.variables: dict[Place, str] = {}
        self.renames: list[Rename] = []
        self.problems: list[str] = []
        for variable, text in sorted(environ.items()):
            name = variable.removeprefix(PREFIX)
            if variable.startswith(PREFIX) and name not in _NOT_SETTINGS and not _from_orchestrator(name, text):
                self._take(variable, name, text)

    def over(self, file: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of the file's values overlaid by the environment's; a gap in a list is a problem."""
        merged = copy.deepcopy(file)
        for place in sorted(self.values, key=_by_index):
            self._put(merged, place)
        return merged

    def _take(self, variable: str, name: str, text: str) -> None:
        current = rename_variable(name)
        if current != name:
            self.renames.append(Rename(variable, PREFIX + current))
        place, unknown = _place(current)
        if unknown is not None:
            self.problems.append(f"{variable} is not a setting{unknown}.")
        elif place in self.variables:
            self.problems.append(f"{variable} and {self.variables[place]} name the same setting; expected one of them.")
        else:
            self.variables[place] = variable
            self._read(place, text)

    def _read(self, place: Place, text: str) -> None:
        field = introspection.field_at(Settings, place)
        if field is not None and introspection.items(field):
            self._read_json(place, text, 'a list of text such as ["447700900000"]')
        elif field is not None and introspection.mapping(field):
            self._read_json(place, text, 'a table such as {"key": "sms_key"}')
        elif field is not None and introspection.optional(field) and not text:
            self.values[place] = None
        else:
            self.values[place] = text

    def _read_json(self, place: Place, text: str, expected: str) -> None:
        try:
            self.values[place] = json.loads(text)
        except (ValueError, RecursionError):
            self.problems.append(f"{self.variables[place]} is no JSON; expected {expected}.")

    def _put(self, merged: dict[str, Any], place: Place) -> None:
        owner: Any = merged
        for step, following in itertools.pairwise(place):
            owner = _enter(owner, step, [] if isinstance(following, int) else {})
            if owner is _NO_OWNER:
                if isinstance(step, int):
                    self.problems.append(
                        f"{self.variables[place]} skips a number; expected to count on from 0 without gaps."
                    )
                return
        if isinstance(owner, dict):
            self._drop_other_form(owner, place)
            owner[place[-1]] = self.values[place]

    def _drop_other_form(self, owner: dict[str, Any], place: Place) -> None:
        """Let ``password`` from the environment win over the file's ``password_file``, and the other way round."""
        name = str(place[-1])
        twin = name.removesuffix("_file") if name.endswith("_file") else f"{name}_file"
        if (*place[:-1], twin) not in self.variables:
            owner.pop(twin, None)


_NO_OWNER: Final = object()


def _enter(owner: object, step: str | int, empty: object) -> object:
    """Return the table or list at a step, made if missing; ``_NO_OWNER`` where that is impossible."""
    if isinstance(step, int):
        if not isinstance(owner, list) or step > len(owner):
            return _NO_OWNER
        if step == len(owner):
            owner.append(empty)
        return owner[step]
    return owner.setdefault(step, empty) if isinstance(owner, dict) else _NO_OWNER


def _by_index(place: Place) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (0, step) for step in place]


def _from_orchestrator(name: str, text: str) -> bool:
    """Whether Kubernetes or Docker set this variable to describe a service named soap-handler."""
    return bool(_SERVICE_LINK.fullmatch(name)) or (name == "PORT" and re.match(r"\w+://", text) is not None)


def _place(name: str) -> tuple[Place, str | None]:
    """Return the place that a name means, or the rest of the sentence about a name that means none."""
    if name in _SIMPLE:
        return _SIMPLE[name], None
    place: list[str | int] = []
    model: type[BaseModel] | None = Settings
    steps = iter(name.split("__"))
    for step in steps:
        if model is None or step.lower() not in introspection.keys(model) or step != step.upper():
            return (), _meant(name, step, model, top=not place)
        field = model.model_fields.get(step.lower())
        place.append(step.lower())
        if field is not None and introspection.tables(field) is not None:
            index = next(steps, "")
            if not _INDEX.fullmatch(index):
                return (), f"; expected a number from 0 after {step}__"
            place.append(int(index))
        elif field is not None and introspection.named(field) is not None:
            name_of_table = next(steps, "")
            if not name_of_table:
                return (), f"; expected a name after {step}__"
            place.append(name_of_table.lower())
        model = _below(field)
    return (tuple(place), None) if model is None else ((), "; expected the name of one setting in that table")


def _below(field: FieldInfo | None) -> type[BaseModel] | None:
    return introspection.below(field) if field is not None else None


def _meant(name: str, step: str, model: type[BaseModel] | None, *, top: bool) -> str:
    known = [key.upper() for key in introspection.keys(model)] if model else []
    match = introspection.closest(step, [*known, *_SIMPLE] if top else known)
    return f"; perhaps {PREFIX}{name.replace(step, match, 1)} is meant" if match else ""


def _simple() -> dict[str, Place]:
    """Return the names with a single underscore, which tables that are no lists take too."""
    found: dict[str, Place] = {}
    for name, field in Settings.model_fields.items():
        model = introspection.table(field)
        for key in introspection.keys(model) if model else []:
            found[f"{name}_{key}".upper()] = (name, key)
    return found


_SIMPLE: Final = _simple()
