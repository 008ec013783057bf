"""The table of cases is whole: each row names tests that are there, and says what they show."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.cases import TABLE
from tests.corpus.cases import CASES

TESTS: Final = Path(__file__).parents[1]
CORPUS: Final = {case.id for case in CASES}
ROWS: Final = [(kind, row) for kind, rows in TABLE.items() for row in rows]


@cache
def collected_from(file: str) -> frozenset[str]:
    """Return the names of the tests that pytest collects from a file: functions of the module."""
    path = TESTS / file
    if not (path.name.startswith("test_") and path.is_file()):
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    )


def missing(place: str) -> bool:
    """Whether there is no such test, or no such input of the corpus."""
    file, _, name = place.partition("::")
    name, bracket, case = name.partition("[")
    return name not in collected_from(file) or bool(bracket and case.removesuffix("]") not in CORPUS)


def test_each_test_of_the_table_is_there() -> None:
    """A test that was renamed or taken out leaves its case without a witness."""
    assert [place for _, row in ROWS for place in row.shown_by if missing(place)] == []


def test_each_row_says_what_happens_and_who_shows_it() -> None:
    """No row lacks a test, a world or an answer; none stands twice."""
    assert [row.world for _, row in ROWS if not (row.shown_by and row.world and row.service)] == []
    assert len({row.world for _, row in ROWS}) == len(ROWS)
    assert all(len(set(row.shown_by)) == len(row.shown_by) for _, row in ROWS)


def test_each_kind_has_rows() -> None:
    """An empty kind would be shown by nothing."""
    assert all(TABLE.values())


@pytest.mark.parametrize(
    "place",
    [
        "cases/test_table_of_cases.py::test_that_there_is_not",
        "cases/test_there_is_not.py::test_each_kind_has_rows",
        "cases/row.py::row",
        "corpus/test_cases.py::test_what_can_be_stored_is_stored[no such input]",
    ],
)
def test_what_is_not_there_is_noticed(place: str) -> None:
    """A test that cannot fail is a bug."""
    assert missing(place)
