"""Figures for people: rates and numbers of bytes, as the terminal and the console show them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def rate(per_minute: float) -> str:
    """Return a rate: whole where it is large."""
    return f"{per_minute:,.0f}" if per_minute >= 10 or not per_minute else f"{per_minute:.1f}"


def size(count: int) -> str:
    """Return a number of bytes in one unit."""
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit < 2 or amount >= 100 else f"{amount:.1f} {_UNITS[unit]}"
