"""Provenance: which source each value of the configuration came from, in words, for people who ask why it is so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from soap_handler.settings.introspection import Place

DEFAULT = "default"
"""The origin of what no source says."""


class Provenance:
    """The sources of one configuration. Holds names alone: of the file, of variables, of secret files."""

    def __init__(
        self,
        file: Path | None = None,
        variables: Mapping[Place, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """``values`` are the raw ones, before secret files are read. Of them, paths of these files alone are kept."""
        self._file = "the configuration file" if file is None else file.name
        self._variables = dict(variables or {})
        self._secret_files = _secret_files(values or {})

    def of(self, place: Place, *, is_set: bool) -> str:
        """Return where the value at a place came from; ``is_set`` is whether any source said it."""
        if not is_set:
            return DEFAULT
        beside = (*place[:-1], f"{place[-1]}_file")
        variable = self._variables.get(place) or self._variables.get(beside)
        source = variable or self._file
        return f"{source}: {self._secret_files[beside]}" if beside in self._secret_files else source


def _secret_files(values: Any, place: Place = ()) -> dict[Place, str]:  # noqa: ANN401 - unchecked values
    """Return the path of each secret file that the raw values name."""
    found: dict[Place, str] = {}
    items: Any = values.items() if isinstance(values, dict) else enumerate(values if isinstance(values, list) else ())
    for step, value in items:
        if isinstance(step, str) and step.endswith("_file") and isinstance(value, str):
            found[(*place, step)] = value
        found |= _secret_files(value, (*place, step))
    return found
