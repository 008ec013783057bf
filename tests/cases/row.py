"""What a row of the table of cases is."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A case of the world, and what shows that it is met."""

    world: str
    """What happens: what a caller sends, what a machine or a person does."""
    service: str
    """What the service does then."""
    shown_by: tuple[str, ...]
    """The tests, as ``folder/file.py::test``, below ``tests``; an input of the corpus by its name in brackets."""


def row(world: str, service: str, *shown_by: str) -> Row:
    """Return a row."""
    return Row(world, service, shown_by)
