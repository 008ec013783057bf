"""Modules of the working directory that hide a library's: the service would import them in its place."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURSELVES: Final = "soap-handler"
_DRIVERS: Final = frozenset({"psycopg", "psycopg_binary"})  # of an extra
_NAME: Final = re.compile(r"[\w.-]+")


class Hiding(NamedTuple):
    """A local module that hides another one."""

    path: Path
    is_needed: bool
    """Whether the service itself needs the library; otherwise it is one of Python's own, and may be needed."""


def hiding(folder: Path) -> list[Hiding]:
    """Return the modules and packages in a folder that hide one of our libraries, or one of Python's own.

    Handlers are looked for in the working directory first, so a ``requests.py`` there is found before the library, by
    the code that calls the inbox too.
    """
    local = {path.stem: path for path in folder.iterdir() if _is_module(path)}
    needed = _libraries()
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != folder.resolve()]
    return [
        Hiding(local[name], name in needed)
        for name in sorted(local.keys() & (needed | sys.stdlib_module_names))
        if PathFinder.find_spec(name, elsewhere) is not None
    ]


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _libraries() -> set[str]:
    """Return the modules of the distributions that this one needs, directly or by others."""
    needed = set(_closure())
    return {
        module
        for module, owners in metadata.packages_distributions().items()
        if module in _DRIVERS or needed & {_normalised(owner) for owner in owners}
    }


def _closure() -> Iterator[str]:
    seen: set[str] = set()
    waiting = [_OURSELVES]
    while waiting:
        name = _normalised(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        if name != _OURSELVES:
            yield name
        waiting += _required(name)


def _required(name: str) -> Iterator[str]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # needed on another system, or this is a source tree
        return
    for line in lines:
        if "extra ==" not in line and (found := _NAME.match(line)):
            yield found[0]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
