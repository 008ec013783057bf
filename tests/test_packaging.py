"""What is imported is declared: nothing is installed only because another library happens to need it today."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import soap_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = Path(soap_handler.__file__).parent
PROJECT: Final[dict[str, Any]] = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))[
    "project"
]
EXTRAS: Final[dict[str, list[str]]] = {
    name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "test"
}


PLUGIN: Final = "testing.py"
"""What pytest loads, in the customer's own tests."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Return the distributions that the package names, those of its extras included."""
    needs = [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)]
    return {normal(re.split(r"[\s\[<>=!~;]", each, maxsplit=1)[0]) for each in needs}


def imported() -> Iterator[tuple[str, str]]:
    """Return each module of another distribution that is imported, with the file that does."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names}:
                file = path.relative_to(PACKAGE).as_posix()
                if top not in sys.stdlib_module_names | {"soap_handler"} and (top, file) != ("pytest", PLUGIN):
                    yield top, file


def test_what_is_imported_is_declared() -> None:
    """``urllib3`` is there because ``requests`` needs it today; that is no promise."""
    of = packages_distributions()
    undeclared = {
        f"{top} ({file})" for top, file in imported() if not {normal(each) for each in of.get(top, [])} & declared()
    }
    assert undeclared == set()


def test_the_imports_of_libraries_are_found() -> None:
    """A test that cannot fail is a bug."""
    assert {"requests", "urllib3", "sqlalchemy", "pika", "opentelemetry"} <= {top for top, _ in imported()}


@pytest.mark.parametrize("need", [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)])
def test_each_dependency_has_a_lower_bound(need: str) -> None:
    """Which ones really work is found out by the checks, which resolve the lowest versions."""
    assert re.search(r"[>=]=\d", need)
