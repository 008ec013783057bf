"""Rules of the house that a program can check: sizes, first sentences, language, names of tests, parsers, events."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import soap_handler
from soap_handler.telemetry import EVENTS, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = Path(soap_handler.__file__).parent
TESTS: Final = Path(__file__).parent

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 60

RIDDLES: Final = re.compile("whoever|nobody|somebody|likewise", re.IGNORECASE)
RIDDLES_ALLOWED: Final = 10

PARSER_ROOM: Final = "xml/parser.py"
PARSERS: Final = {"XMLParser", "HTMLParser", "XMLPullParser", "HTMLPullParser", "ETCompatXMLParser", "iterparse"}

WALL_CLOCK: Final = re.compile(r"(?<!queue_)clock\.now\b|\bdatetime\.now\b|\butcnow\b|\btime\.time\(")
READS_WALL_CLOCK: Final = {
    "clock.py": "it is the one",
    "cli/push_target.py": "a value of a message",
    "cli/sink.py": "a value of a message",
    "diagnosis/certificate.py": "the validity of a certificate",
    "diagnosis/exchange.py": "the service's clock is compared with ours",
    "diagnosis/probe.py": "a value of a message",
    "dispatch/run.py": "the history",
    "dispatch/settlements.py": "the history",
    "ems/mailbox.py": "the history",
    "fast/batching_channel.py": "the Date header, and an attribute of waitress",
    "fast/usual_elements.py": "received_at",
    "fast/usual_pushes.py": "received_at",
    "journal/databases/journal_files.py": "the name of a file, for people",
    "journal/journal.py": "the history",
    "journal/queue_clock.py": "the queue's clock is set by it",
    "journal/backups/restore.py": "the name of a file, for people",
    "receive/receiver.py": "received_at",
    "sinks/http.py": "a date in Retry-After; the pause is bounded",
    "sinks/webhook.py": "webhook-timestamp, which the receiver compares with its own clock",
    "web/pages/example_values.py": "a value of a message",
}
"""The modules that read the wall clock, and what for: never for a pause, a time limit, a lease or a due time."""


PRIVATE_OF_OTHERS: Final = {
    "_Element": "lxml's type of an element has no other name",
    "_ElementTree": "the same of a document",
    "_cache": "where Python remembers encodings",
    "_exit": "os._exit, which is documented",
    "_replace": "of a named tuple, which is documented",
    "_split_scope": "of a scheduler of xdist: what its documentation has one override",
}
"""The private names that tests use, all of libraries, and why. Of the product's own they use none."""
PATCHES: Final = {"setattr", "delattr", "getattr", "object"}
"""The functions that take a name as a text: of monkeypatch, of mock, and Python's own."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Return each module of the package, by its path in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module, names: set[str]) -> Iterator[ast.Call]:
    """Return the calls of functions with one of these names, as ``name(…)`` or ``module.name(…)``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in names:
                yield node


def opening_sentence(tree: ast.Module) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def test_no_file_is_longer_than_a_reader_holds() -> None:
    """A file over 400 lines has two subjects."""
    sizes = {
        path.relative_to(root.parent).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for root in (PACKAGE, TESTS)
        for path in root.rglob("*.py")
    }
    assert {path: size for path, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A function over 60 lines has more than one step."""
    sizes = {
        f"{path}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES} == {}


def private_names(tree: ast.Module) -> Iterator[str]:
    """Return the private names of others that a file uses: of attributes, of imports, and in texts that name these."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name):
                names = [name]
            case ast.ImportFrom(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.Call(args=arguments) if _called(node) in PATCHES:
                names = [str(each.value).rpartition(".")[2] for each in arguments[:2] if isinstance(each, ast.Constant)]
            case _:
                continue
        yield from (name for name in names if re.match("_[^_]", name))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_tests_use_public_names() -> None:
    """What a test needs is worth a name that others may use too; a private one may change without a word."""
    used = {
        f"{path.relative_to(TESTS)}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in private_names(ast.parse(path.read_text(encoding="utf-8")))
        if name not in PRIVATE_OF_OTHERS
    }
    assert used == set()


def test_each_module_opens_with_one_sentence() -> None:
    """Its first line says what lives there, and is a sentence."""
    assert [path for path, tree in modules() if not opening_sentence(tree).endswith(".")] == []


def test_the_language_is_plain() -> None:
    """Riddles by pronoun are rare enough to be read twice."""
    lines = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if RIDDLES.search(line)
    ]
    assert len(lines) <= RIDDLES_ALLOWED, lines


def test_no_two_test_files_share_a_name() -> None:
    """A test is found by its name alone."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_parsers_are_made_in_one_place() -> None:
    """Safe options (no entities, no network, limits) are set once."""
    made = [f"{path}:{call.lineno}" for path, tree in modules() for call in calls(tree, PARSERS) if path != PARSER_ROOM]
    assert made == []


def test_the_wall_clock_is_read_for_people_alone() -> None:
    """It may step at any time, so whatever measures or waits uses another clock."""
    readers = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if _reads_wall_clock(path)}
    assert readers == READS_WALL_CLOCK.keys()


def _reads_wall_clock(path: Path) -> bool:
    return WALL_CLOCK.search(path.read_text(encoding="utf-8")) is not None


def emitted() -> Iterator[tuple[str, str, set[str]]]:
    """Return each place that emits an event, with the name (empty where it is no literal) and the fields.

    Where ``**fields`` are passed on, all fields of the event count as given.
    """
    for path, tree in modules():
        for call in calls(tree, {"emit"}):
            name = call.args[0] if call.args else None
            literal = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
            fields = {keyword.arg for keyword in call.keywords if keyword.arg}
            if len(fields) < len(call.keywords) and literal in EVENTS:
                fields |= set(EVENTS[literal].fields)
            yield f"{path}:{call.lineno}", literal, fields


def test_each_event_is_in_the_list_with_its_fields() -> None:
    """The list in ``telemetry`` is complete: names are literals that can be searched for, and no field is unlisted."""
    wrong = [
        f"{place} {name} {sorted(fields)}"
        for place, name, fields in emitted()
        if name not in EVENTS or not fields <= set(EVENTS[name].fields)
    ]
    assert wrong == []


def test_each_event_of_the_list_is_emitted_with_all_its_fields() -> None:
    """The list promises nothing that the service never says."""
    fields: defaultdict[str, set[str]] = defaultdict(set)
    for _, name, given in emitted():
        fields[name] |= given
    assert {name: event.fields for name, event in EVENTS.items() if set(event.fields) - fields[name]} == {}


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_each_event_says_what_happened(event: Event) -> None:
    """One sentence says what happened; of a warning or an error, one more says what to do."""
    assert re.fullmatch(r"[A-Z].*\.", event.meaning)
    assert event.meaning.count(". ") <= 1
    assert event.action or event.level in {"info", "debug"}


def test_the_rules_notice_what_breaks_them() -> None:
    """A test that cannot fail is a bug."""
    tree = ast.parse('"""No sentence"""\nx = etree.XMLParser()\ntelemetry.emit("starting", port=1)')
    assert not opening_sentence(tree).endswith(".")
    assert len(list(calls(tree, PARSERS))) == 1
    assert len(list(calls(tree, {"emit"}))) == 1
    for text in ("x._y", "from x import _y", "monkeypatch.setattr(x, '_y', 1)", "monkeypatch.setattr('x._y', 1)"):
        assert list(private_names(ast.parse(text))) == ["_y"], text
    assert list(private_names(ast.parse("self._x = x.__dict__"))) == []
