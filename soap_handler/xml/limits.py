"""How large the structure of a request may be, whatever it says: depth and attributes. Its bytes are limited before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from soap_handler.faces.soap.faults import client_fault

if TYPE_CHECKING:
    from lxml.etree import _Element as Element


@dataclass(frozen=True, slots=True)
class Shape:
    """The limits."""

    depth: int = 32
    """Levels of elements; the contract needs five."""
    attributes: int = 256
    """Attributes of all elements together; the contract needs a few."""


def check_shape(root: Element, shape: Shape) -> None:
    """Pass a request whose structure is within the limits.

    Raises:
        Fault: it is not.
    """
    level = attributes = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            level -= 1
            continue
        level += 1
        attributes += len(element.attrib)
        if level > shape.depth:
            raise client_fault("The request is nested too deeply")
        if attributes > shape.attributes:
            raise client_fault("The request has too many attributes")
