"""The parts of the service that the console's views answer from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from flask import current_app

if TYPE_CHECKING:
    from soap_handler.console.exposition import Exposition
    from soap_handler.console.health import Health
    from soap_handler.journal import Journal
    from soap_handler.settings import Settings

LARGEST_NUMBER: Final = 2**63 - 1
"""Of a row; neither engine takes a larger one."""
EXTENSION: Final = "soap_handler"
"""The name of the parts in the application."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the views of the console answer from."""

    settings: Settings
    """Those in use: of the start, and what a reload took up."""
    journal: Journal
    health: Health
    exposition: Exposition


def row_number(text: str) -> int:
    """Return the number of a row that a query has.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError
    return number


def parts() -> Parts:
    """Return what the present request's view answers from. For views."""
    return cast("Parts", current_app.extensions[EXTENSION])
