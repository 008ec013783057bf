"""Draws the ratios of a burst as bars, in SVG: on a ground of its own, so that it can be read in light and in dark."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final
from xml.etree import ElementTree as Tree

from tests.bench.targets import CONSTANT, ONE, PLAIN, TWO, TWO_POSTGRESQL

_WIDTH: Final = 760
_MARGIN: Final = 20
_LEFT: Final = 290  # where the bars begin
_RIGHT: Final = 126  # for the figures behind a bar
_TOP: Final = 66  # under the titles
_BAR: Final = 18
_LINE: Final = 25  # from bar to bar
_HEADING: Final = 34  # above each group
_FOOT: Final = 40

_INK: Final = "#1f2328"
_GREY: Final = "#59636e"
MARK: Final = "#cf222e"
COLOURS: Final = {PLAIN: "#818b98", CONSTANT: "#d1d9e0", ONE: "#54aeff", TWO: "#0969da", TWO_POSTGRESQL: "#8250df"}


def svg(rows: list[dict[str, Any]]) -> str:
    """Return a picture of how many times as many pushes a second each server takes as the plain one.

    ``rows`` are those of :func:`receive.summary`.
    """
    groups = [(heading, list(group)) for heading, group in groupby(rows, key=_heading)]
    height = _TOP + sum(_HEADING + _LINE * len(group) for _, group in groups) + _FOOT
    root = _ground(height)
    largest = max([row["ratio"] for row in rows] + [mark for row in rows if (mark := _mark(row)) is not None])
    scale = (_WIDTH - _LEFT - _RIGHT) / largest
    top = _TOP
    for heading, group in groups:
        _text(root, _MARGIN, top + 20, heading, weight="600")
        top += _HEADING
        for row in group:
            _bar(root, top, row, scale)
            top += _LINE
    _legend(root, top + 20)
    Tree.indent(root)
    return Tree.tostring(root, encoding="unicode") + "\n"


def _heading(row: dict[str, Any]) -> str:
    connections, history = row["connections"], row["history"]
    before = f"{history:,} messages before" if history else "an empty database"
    return f"{connections} connection{'s' if connections > 1 else ''}, {before}"


def _ground(height: int) -> Tree.Element:
    root = Tree.Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(_WIDTH), height=str(height))
    root.set("viewBox", f"0 0 {_WIDTH} {height}")
    root.set("font-family", "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif")
    root.set("font-size", "13")
    root.set("role", "img")
    Tree.SubElement(root, "title").text = "Pushes a second, as a multiple of plain spyne + waitress"
    ground = {"x": "0.5", "y": "0.5", "width": str(_WIDTH - 1), "height": str(height - 1), "rx": "8"}
    Tree.SubElement(root, "rect", ground, fill="#ffffff", stroke="#d1d9e0")
    _text(root, _MARGIN, 32, "Pushes a second, as a multiple of plain spyne + waitress", weight="600", size=16)
    told = "each answered 200 and stored durably (the constant stores nothing), with handling and deletes going on"
    _text(root, _MARGIN, 52, told, colour=_GREY, size=12)
    return root


def _bar(root: Tree.Element, top: int, row: dict[str, Any], scale: float) -> None:
    width = max(1.0, row["ratio"] * scale)
    _text(root, _LEFT - 10, top + 13.5, row["server"], anchor="end")
    _rect(root, (_LEFT, top, width, _BAR), COLOURS[row["server"]], radius=2)
    mark = _mark(row)
    behind = _LEFT + width
    if mark is not None:
        _rect(root, (_LEFT + mark * scale - 1, top - 2, 2, _BAR + 4), MARK)
        if behind + _RIGHT > _LEFT + mark * scale:  # no room for the figures before the mark
            behind = max(behind, _LEFT + mark * scale)
    figures = _text(root, behind + 8, top + 13.5, "")
    Tree.SubElement(figures, "tspan", {"font-weight": "600"}).text = f"{row['ratio']:.1f}\N{MULTIPLICATION SIGN}"
    Tree.SubElement(figures, "tspan", dx="6", fill=_GREY).text = f"{row['rate']:,.0f}/s"


def _mark(row: dict[str, Any]) -> float | None:
    """Return the ratio that is to be reached, if any."""
    return next((float(target["bound"]) for target in row["targets"] if target["figure"] == "ratio"), None)


def _legend(root: Tree.Element, line: int) -> None:
    _rect(root, (_LEFT, line - 12, 2, 16), MARK)
    _text(root, _LEFT + 10, line, "target", colour=_GREY, size=12)


def _rect(root: Tree.Element, place: tuple[float, float, float, float], colour: str, *, radius: int = 0) -> None:
    x, y, width, height = place
    size = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}", "fill": colour}
    Tree.SubElement(root, "rect", size | ({"rx": str(radius)} if radius else {}))


def _text(
    root: Tree.Element,
    x: float,
    y: float,
    text: str,
    *,
    weight: str = "400",
    colour: str = _INK,
    size: int = 13,
    anchor: str = "start",
) -> Tree.Element:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "fill": colour, "font-weight": weight, "font-size": str(size)}
    element = Tree.SubElement(root, "text", place | ({"text-anchor": anchor} if anchor != "start" else {}))
    element.text = text
    return element
