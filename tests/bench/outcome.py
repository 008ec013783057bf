"""How the figures are shown: a table for people, one JSON object for programs. Nothing is measured or judged here."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_WIDTH: Final = 220  # where the output is no terminal
_HEADINGS: Final = {
    "rate": "per s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_us": "CPU µs each",
    "inbox_us": "inbox's CPU µs each",
    "memory_mb": "memory MB",
    "worked_off": "worked off per s",
    "plain": "plain receives per s",
    "bare": "bare loop per s",
    "of_soap": "of SOAP's rate",
    "history": "rows before",
    "empty_ms": "empty ms",
    "full_ms": "full ms",
    "start_s": "start s",
    "median_ms": "median ms",
    "worst_ms": "worst ms",
    "cpu_ms": "CPU ms, median",
    "worst_cpu_ms": "CPU ms, worst",
    "cpu_ratio": "CPU's ratio",
    "growth_mb": "MB more than at half",
}
_BROKEN: Final = ("refused", "missing", "extra")


def show(rows: list[dict[str, Any]], left_out: dict[str, str], *, as_json: bool) -> None:
    """Write the rows to standard output; ``left_out`` says what could not be measured, and why."""
    if as_json:
        sys.stdout.write(json.dumps({"rows": rows, "left_out": left_out}) + "\n")
        return
    console = Console()
    wide = console if console.is_terminal else Console(width=_WIDTH)
    table = Table(*(_HEADINGS.get(name, name) for name in rows[0]), show_lines=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    wide.print(table)
    for what, reason in left_out.items():
        wide.print(f"left out: {what}: {reason}")


def broken(rows: list[dict[str, Any]]) -> bool:
    """Tell whether any answer was not 200, or the books do not agree with the answers."""
    return any(row.get(name) for row in rows for name in _BROKEN)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(_verdict(each) for each in value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return "" if value is None else str(value)


def _verdict(target: dict[str, Any]) -> str:
    figure = _HEADINGS.get(target["figure"], target["figure"])
    return f"{figure} {target['wanted']}: {'met' if target['met'] else 'MISSED'}"
