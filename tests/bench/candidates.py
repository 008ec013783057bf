"""What is measured: this checkout or another one, as it is or with settings of its own. Nothing is started here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent.parent
_SETTINGS: Final = "from soap_handler.settings import describe; print(*(f'{x.table}.{x.name}' for x in describe()))"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source tree and the settings with which its service runs."""

    name: str = "this"
    tree: Path = ROOT
    settings: Mapping[str, str] = field(default_factory=dict)
    """Values by name, such as ``server.threads``."""

    def environment(self) -> dict[str, str]:
        """Return the variables of its processes. What the benchmark itself is made of comes from this checkout."""
        variables = {f"SOAP_HANDLER_{_variable(name)}": value for name, value in self.settings.items()}
        return {**os.environ, "PYTHONPATH": f"{self.tree}{os.pathsep}{ROOT}", **variables}

    def run(self, code: str, *arguments: str) -> str:
        """Run a line of Python with its source tree and return what it prints."""
        command = [sys.executable, "-c", code, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(self.tree)}
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd="/").stdout


THIS: Final = Candidate()


def chosen(against: Path | None, settings: Sequence[str], variants: Sequence[str]) -> list[Candidate]:
    """Return what is to be compared; the others are held against the first, the other checkout if there is one.

    ``settings`` are for all; a checkout that does not know one runs without it.

    Raises:
        ValueError: a setting is not ``section.name=value``, or a variant not ``name:section.name=value,…``.
    """
    common = _settings(settings)
    found = [Candidate(settings=common)]
    for variant in variants:
        name, colon, own = variant.partition(":")
        if not colon:
            raise ValueError(f"{variant!r} is no variant; expected name:section.name=value")
        found.append(Candidate(name, settings=common | _settings(own.split(","))))
    return found if against is None else [_other(against.resolve(), common), *found]


def _other(tree: Path, common: Mapping[str, str]) -> Candidate:
    known = set(Candidate(tree=tree).run(_SETTINGS).split())
    return Candidate("against", tree, {name: value for name, value in common.items() if name in known})


def _settings(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or "." not in name:
            raise ValueError(f"{text!r} is no setting; expected section.name=value")
        found[name] = value
    return found


def _variable(name: str) -> str:
    return name.replace(".", "__").upper()
