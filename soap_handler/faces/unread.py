"""What a request says that reached no value: a walk over every text and attribute of an XML request.

The reader of a request asks for it where an expected value is absent, since the unread part may be that value under
another name or in another place. What is found becomes marks, and so the request is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lxml.etree import _Element as Element

UNKNOWN: Final = "unknown element"
ATTRIBUTE: Final = "attribute"
LOOSE_TEXT: Final = "text between elements"
"""Marks of what was left unread."""

_WITHOUT_CONTENT: Final = tuple(
    f"{{{namespace}}}"
    for namespace in (
        "http://www.w3.org/2001/XMLSchema-instance",
        "http://www.w3.org/1999/XMLSchema-instance",
        "urn:undeclared:xsi",  # as the repair declares it
        "http://www.w3.org/XML/1998/namespace",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://schemas.xmlsoap.org/soap/encoding/",
        "http://www.w3.org/2003/05/soap-envelope",
        "http://www.w3.org/2003/05/soap-encoding",
    )
)
"""Namespaces of attributes that say how to read a message, and nothing of its content."""


def unread(
    root: Element, taken: Collection[Element], apart: Collection[Element] = (), references: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the marks of what is in a request beside the elements that were taken as values.

    ``apart`` are elements that are not looked into. ``references`` are the names of attributes that were used to follow
    references.
    """
    return tuple(dict.fromkeys(_walk(root, set(taken), set(apart), references)))


def _walk(root: Element, taken: set[Element], apart: set[Element], references: Collection[str]) -> Iterator[str]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        inside = element.iter("*") if element in taken else (element,)
        if any(_says_something(each, references) for each in inside):
            yield ATTRIBUTE
        if element in taken:
            continue
        if _is_text(element.text):
            yield LOOSE_TEXT if len(element) else UNKNOWN
        if any(_is_text(child.tail) for child in element):
            yield LOOSE_TEXT
        waiting += (child for child in element if child not in apart)


def _says_something(element: Element, references: Collection[str]) -> bool:
    return any(
        _is_text(str(value)) and str(name) not in references and not str(name).startswith(_WITHOUT_CONTENT)
        for name, value in element.attrib.items()
    )


def _is_text(text: str | None) -> bool:
    return bool(text and text.strip())
