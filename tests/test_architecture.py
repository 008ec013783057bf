"""The imports against the map of rooms: arrows point one way; spyne, zeep, structlog and fast/ have one door each."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import soap_handler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE: Final = Path(soap_handler.__file__).parent
NAME: Final = "soap_handler"

# Who may know whom: a room knows the rooms of lower floors, and those of its own as long as there is no circle.
FLOORS: Final[list[set[str]]] = [
    {
        "contract",
        "notifications",
        "errors",
        "telemetry",
        "clock",
        "times",
        "figures",
        "background",
        "bounded_http",
        "connection_faults",
        "envelope_writer",
        "metrics",
        "trace_context",
        "whole_file",
    },
    {"xml", "retry", "logs", "log_throttle"},
    {"settings", "accounts"},
    {"journal"},
    {"receive", "dispatch", "inbox"},
    {"faces", "sinks"},
    {"web", "console", "deploy"},
    {"server"},
    {"seams"},
    {"fast", "tracing"},
    {"app"},
    {"diagnosis"},
    {"cli", "testing", "__main__"},
]
FLOOR_OF: Final = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

APART: Final = "ems"
KNOWN_TO_EMS: Final = {
    "contract",
    "notifications",
    "telemetry",
    "connection_faults",
    "xml.parser",
    "xml.control_characters",
    "faces.soap.compat",
}
KNOW_EMS: Final = {"diagnosis", "cli", "testing"}
PUBLIC: Final = {"dispatch", "errors", "notifications"}
"""What the package itself, the customers' door, is made of. Nobody inside goes through that door."""

DOORS: Final = {
    "spyne": ("faces.soap", "ems"),
    "zeep": ("envelope_writer", "ems"),
    "opentelemetry": ("tracing",),
    "structlog": ("logs",),  # the command line loads it by name, to hide rich from it
}
"""The modules or rooms through which a library is used. Nothing else may import it."""

OPTIONAL: Final = {"fast", "tracing"}
COMPOSITION_ROOT: Final = "app"
"""The only importer of the optional rooms, so that a service without the folder needs no other change."""


class Import(NamedTuple):
    """One import: modules of this package without its name (the package itself is empty), others as they are."""

    importer: str
    imported: str
    ours: bool


def room(module: str) -> str:
    return module.partition(".")[0]


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    return {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports() -> Iterator[Import]:
    """Read the imports of every file, those for type checking and those inside functions too."""
    known = modules()
    for importer, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            for imported in _imported(node):
                ours = room(imported) == NAME
                module = imported.removeprefix(NAME).removeprefix(".")
                if ours and module not in known:  # a name in a module
                    module = module.rpartition(".")[0]
                yield Import(importer, module if ours else imported, ours)


def _imported(node: ast.AST) -> Iterable[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            assert node.level == 0, "imports are absolute"
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case _:
            return []


def wrong(arrow: Import) -> bool:
    """Whether this import breaks a rule of the house."""
    return _wrong_arrow(arrow) if arrow.ours else _wrong_door(arrow)


def _wrong_door(arrow: Import) -> bool:
    doors = DOORS.get(room(arrow.imported))
    return doors is not None and not any(f"{arrow.importer}.".startswith(f"{door}.") for door in doors)


def _wrong_arrow(arrow: Import) -> bool:
    importer, imported, _ = arrow
    if room(importer) == room(imported):
        return False
    if importer == "":
        return room(imported) not in PUBLIC
    if room(imported) in OPTIONAL:
        return importer != COMPOSITION_ROOT
    if room(importer) == APART:
        return imported not in KNOWN_TO_EMS
    if room(imported) == APART:
        return room(importer) not in KNOW_EMS
    lower, upper = (FLOOR_OF.get(room(module), 0) for module in (imported, importer))  # unknown rooms: see below
    return imported == "" or lower > upper


def test_every_room_has_its_place_on_the_map() -> None:
    """A new room is put on a floor before it is used."""
    assert {room(module) for module in modules()} - {"", APART} <= FLOOR_OF.keys()


def test_every_arrow_points_downwards() -> None:
    """No room imports one above it, only ``app`` an optional one, and each library is used through its door."""
    assert sorted({f"{arrow.importer} -> {arrow.imported}" for arrow in imports() if wrong(arrow)}) == []


def test_there_are_no_cycles() -> None:
    """No module needs, directly or by others, one that needs it; for type checking neither."""
    graph: dict[str, set[str]] = {}
    for importer, imported, ours in imports():
        if ours and importer != imported:
            graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    "arrow",
    [
        Import("notifications", "settings", ours=True),
        Import("journal.group_commit", "dispatch.claim_loop", ours=True),
        Import("receive.receiver", "faces.soap.faults", ours=True),
        Import("faces.soap.endpoint", "web.application", ours=True),
        Import("server.server", "app", ours=True),
        Import("server.server", "fast.batching", ours=True),
        Import("ems.pusher", "settings", ours=True),
        Import("ems.pusher", "faces.soap.service", ours=True),
        Import("app", "ems", ours=True),
        Import("dispatch", "", ours=True),
        Import("", "app", ours=True),
        Import("web.application", "spyne.server", ours=False),
        Import("faces.soap.endpoint", "zeep", ours=False),
        Import("inbox.client", "spyne", ours=False),
        Import("faces.form_post.face", "spyne.model", ours=False),
        Import("sinks.webhook", "zeep", ours=False),
        Import("inbox.client", "zeep", ours=False),
        Import("dispatch.claim_loop", "structlog", ours=False),
        Import("cli.serve", "fast.scoreboard", ours=True),
        Import("journal.journal", "fast.compiled_sql", ours=True),
        Import("sinks.webhook", "tracing.spans", ours=True),
        Import("sinks.webhook", "opentelemetry.trace", ours=False),
    ],
)
def test_the_rules_notice_an_arrow_that_runs_the_wrong_way(arrow: Import) -> None:
    """A test that cannot fail is a bug."""
    assert wrong(arrow)


@pytest.mark.parametrize(
    "arrow",
    [
        Import("app", "fast.batching", ours=True),
        Import("fast.batching", "server.channel", ours=True),
        Import("faces.soap.compat", "spyne", ours=False),
        Import("envelope_writer", "zeep", ours=False),
        Import("logs", "structlog.stdlib", ours=False),
    ],
)
def test_the_rules_allow_what_the_map_allows(arrow: Import) -> None:
    """A rule that forbids everything would hold nothing."""
    assert not wrong(arrow)


def test_the_imports_are_read() -> None:
    """Those at the top, those for type checking only, and those of other packages are all found."""
    found = set(imports())
    assert Import("app", "server.server", ours=True) in found
    assert Import("receive.receiver", "accounts.accounts", ours=True) in found  # under TYPE_CHECKING
    assert any(arrow.importer == "faces.soap.service" and room(arrow.imported) == "spyne" for arrow in found)
    assert Import("envelope_writer", "zeep", ours=False) in found  # inside a function
