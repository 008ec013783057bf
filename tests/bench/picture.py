"""Draws the ratios as bars, in SVG."""

from __future__ import annotations

from typing import Any, Final
from xml.etree import ElementTree as Tree

_WIDTH: Final = 720
_BAR: Final = 22
_LEFT: Final = 230
_COLOURS: Final = {"plain": "#9aa5b1", "constant": "#cbd2d9"}
_OURS: Final = "#2f6f9f"


def svg(rows: list[dict[str, Any]]) -> str:
    """Return a picture of how many times as many pushes a second each server takes as the plain one."""
    height = 60 + (_BAR + 6) * len(rows) + 20 * len({row["connections"] for row in rows})
    root = Tree.Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(_WIDTH), height=str(height))
    root.set("font-family", "sans-serif")
    root.set("font-size", "13")
    Tree.SubElement(root, "rect", width="100%", height="100%", fill="white")
    _text(root, 10, 24, "Pushes a second, stored durably, as a multiple of plain spyne + waitress", weight="bold")
    scale = (_WIDTH - _LEFT - 70) / max(row["ratio"] for row in rows)
    top, before = 44, None
    for row in rows:
        if row["connections"] != before:
            before = row["connections"]
            top += 20
            _text(root, 10, top - 5, f"{before} connection{'s' if before > 1 else ''}", weight="bold")
        _bar(root, top, row, scale)
        top += _BAR + 6
    return Tree.tostring(root, encoding="unicode") + "\n"


def _bar(root: Tree.Element, top: int, row: dict[str, Any], scale: float) -> None:
    width = max(1.0, row["ratio"] * scale)
    _text(root, 20, top + 15, row["server"])
    bar = Tree.SubElement(root, "rect", x=str(_LEFT), y=str(top), width=f"{width:.1f}", height=str(_BAR))
    bar.set("fill", _COLOURS.get(row["server"], _OURS))
    _text(root, _LEFT + width + 6, top + 15, f"{row['ratio']:.1f}")


def _text(root: Tree.Element, x: float, y: float, text: str, weight: str = "normal") -> None:
    element = Tree.SubElement(
        root, "text", {"x": f"{x:.0f}", "y": f"{y:.0f}", "font-weight": weight, "fill": "#1f2933"}
    )
    element.text = text
