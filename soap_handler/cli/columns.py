"""One row a line: columns of fixed width on a terminal, values between tabs into a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_WIDTH: Final = 80
_COLOURS: Final = {"dead": "31", "received": "36", "handled": "33", "done": "32", "title": "1", "quiet": "2"}
"""SGR parameters by what is meant."""


class Column(NamedTuple):
    """A column of a terminal. The last one of a row takes what is left of the line."""

    title: str
    width: int
    right: bool = False


class Cell(NamedTuple):
    """A value, and what it means, for its colour."""

    text: str
    meaning: str = ""


def on_terminal() -> bool:
    """Whether a person reads the standard output, and no program does."""
    return sys.stdout is not None and sys.stdout.isatty()


def coloured(text: str, meaning: str) -> str:
    """Return a text in the colour of a meaning; as it is in a pipe, and where NO_COLOR is set."""
    plain = not on_terminal() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or meaning not in _COLOURS else f"\x1b[{_COLOURS[meaning]}m{text}\x1b[0m"


def width() -> int:
    """Return how wide the terminal is."""
    return max(_LEAST_WIDTH, shutil.get_terminal_size((_LEAST_WIDTH, 24)).columns)


def line(columns: Sequence[Column], cells: Sequence[Cell | str]) -> str:
    """Return a row as one line of the terminal; what is too long is cut off with an ellipsis."""
    left = width() - sum(column.width + 1 for column in columns[:-1])
    parts = []
    for column, given in zip(columns, cells, strict=True):
        cell = given if isinstance(given, Cell) else Cell(given)
        is_last = column is columns[-1]
        text = fitted(printable(cell.text), left if is_last else column.width)
        padded = text if is_last else text.rjust(column.width) if column.right else text.ljust(column.width)
        parts.append(coloured(padded, cell.meaning))
    return " ".join(parts).rstrip()


def heading(columns: Sequence[Column]) -> str:
    """Return the line of the titles."""
    return line(columns, [Cell(column.title, "title") for column in columns])


def tabbed(values: Sequence[object]) -> str:
    """Return a row for a program: whole values between tabs, none with a tab or a line end in it."""
    return "\t".join("" if value is None else printable(str(value)) for value in values)


def printable(text: str) -> str:
    """Return a text with control characters as escapes: no message plays with the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def fitted(text: str, room: int) -> str:
    """Return a text that is no longer than there is room."""
    return text if len(text) <= room else f"{text[: max(0, room - 1)]}…"


def from_the_top(text: str) -> str:
    """Return a text that takes the place of the whole screen; where no colours are wanted it comes below the last."""
    return f"\x1b[H\x1b[J{text}" if coloured("", "title") else f"{text}\n"
