"""The request that brought a notification, where it is kept: as a tree of XML, as text and as bytes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from soap_handler.errors import SoapHandlerError
from soap_handler.xml.parser import Limits, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

MOST_BYTES: Final = 65_536
"""Of a request, so many are shown."""
_ROW: Final = 16
_LIMITS: Final = Limits(depth=100, attributes=1_000)


@dataclass(frozen=True, slots=True)
class Node:
    """A line of the tree: an element with its own text."""

    depth: int
    prefix: str
    name: str
    namespace: str
    """The namespace, where it is another one than that of the element around."""
    attributes: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request for people."""

    size: int
    tree: tuple[Node, ...]
    """Empty where it is no XML."""
    text: str
    bytes: str
    """A hex dump."""


def shown(content: bytes) -> KeptRequest:
    """Return a request for people; of a large one, its beginning as text and bytes."""
    beginning = content[:MOST_BYTES]
    return KeptRequest(len(content), tuple(_tree(content)), beginning.decode("utf-8", "replace"), hex_dump(beginning))


def _tree(content: bytes) -> Iterator[Node]:
    if not content.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \r\n\t").startswith(b"<"):
        return
    try:
        root = read_document(content, limits=_LIMITS).root
    except (SoapHandlerError, ValueError, LookupError):
        return
    yield from _nodes(root, 0, "")


def _nodes(element: _Element, depth: int, around: str) -> Iterator[Node]:
    namespace, name = _split(str(element.tag))
    attributes = tuple((_split(str(key))[1], str(value)) for key, value in element.attrib.items())
    text = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    yield Node(depth, element.prefix or "", name, "" if namespace == around else namespace, attributes, text)
    for child in element:
        yield from _nodes(child, depth + 1, namespace)


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


def hex_dump(content: bytes) -> str:
    """Return bytes as lines of an offset, 16 bytes in hexadecimal, and the same as ASCII."""
    return "\n".join(_line(start, content[start : start + _ROW]) for start in range(0, len(content), _ROW))


def _line(start: int, part: bytes) -> str:
    text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in part)
    return f"{start:08x}  {part.hex(' '):{_ROW * 3 - 1}}  {text}"
