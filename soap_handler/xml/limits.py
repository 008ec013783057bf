"""Limits on the structure of an XML document: depth and attributes. Its size in bytes is limited by the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from soap_handler.errors import LimitExceededError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits, with room for everything that the contract needs."""

    depth: int = 32
    """Levels of elements; the contract needs six."""
    attributes: int = 256
    """Attributes of all elements together; the contract needs a few."""


def check_limits(root: Element, limits: Limits) -> None:
    """Return if the structure of a document is within the limits.

    Raises:
        LimitExceededError: it is not.
    """
    level = attributes = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            level -= 1
            continue
        level += 1
        attributes += len(element.attrib)
        if level > limits.depth:
            raise LimitExceededError("The request is nested too deeply")
        if attributes > limits.attributes:
            raise LimitExceededError("The request has too many attributes")
