"""Repair of a text that is nearly XML, so that a strict parser takes it. No SOAP.

Only mistakes with one possible meaning are repaired: characters that XML cannot hold, and characters that were left
unescaped. A ``<`` is text where no markup can begin: no letter or ``_`` is after it, ``</`` or ``<?``, nor is it that
of a comment or a section; and where a comment or an instruction never ends. Tags that do not match and a missing end
are not repaired, and the document stays refused.

A character that XML cannot hold becomes an escape sequence of two legal characters; :func:`restore` turns it back. So a
body keeps the control characters that the phone sent. Every step takes time in proportion to the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.entities import html5
from typing import TYPE_CHECKING, Final

from soap_handler.errors import DoctypeError
from soap_handler.xml.charsets import SURROGATES

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL: Final = "control character"
SURROGATE: Final = "lone surrogate"
ENTITY: Final = "named entity"
UNESCAPED: Final = "unescaped character"
PREFIX: Final = "undeclared prefix"
MARKUP: Final = "markup"
"""Marks of repairs. ``MARKUP`` stands for any other mistake that is gone from the repaired text."""

_ESCAPE: Final = "\U0010fffd"
_ILLEGAL: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
_LETTERS: Final = {
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},  # Unicode's pictures of the control characters
    "\ufffe": "E",
    "\uffff": "F",
    _ESCAPE: _ESCAPE,
}
"""The second character of an escape sequence, for each character that needs one."""
_CHARACTERS: Final = {letter: character for character, letter in _LETTERS.items()}
_SEQUENCE: Final = re.compile(f"{_ESCAPE}(.)", re.DOTALL)

_DECLARATION: Final = re.compile(r"<\?xml\s[^<>]{0,512}\?>")
_DOCTYPE: Final = re.compile("<!DOCTYPE", re.IGNORECASE)
_PADDING: Final = "\ufeff\x00 \t\r\n"  # without meaning before the first tag and after the last one
_OPENING: Final = re.compile(r"<!\[CDATA\[|<!--|<\?(?=[^\W\d])")
_CLOSING: Final = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_NEEDS_ESCAPE: Final = re.compile(f"[{_ILLEGAL}{_ESCAPE}]")
_SUSPECT: Final = re.compile(
    rf"&(?:\#(?P<hex>[xX]?)0*(?P<digits>[0-9a-fA-F]{{1,8}});|(?P<name>[A-Za-z][A-Za-z0-9]{{1,31}};)?)"
    rf"|(?P<character>[{_ILLEGAL}{_ESCAPE}])"
    r"|(?P<tag><(?!/?[^\W\d]))"
    r"|(?P<end>\]\]>)"
)
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE: Final = re.compile("[\ud800-\udfff]")
_PREDEFINED: Final = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_UNSAFE: Final = {"<": "&lt;", "&": "&amp;"}

_TAG: Final = re.compile(r"<[A-Za-z_][^<>]*")
_PREFIXED: Final = re.compile(r"(?:<|\s)([A-Za-z_][\w.-]{0,31}):[\w.-]+(?=[\s=/]|$)")
_DECLARES: Final = re.compile(r"\sxmlns:([A-Za-z_][\w.-]{0,31})\s*=")
_FIRST_TAG: Final = re.compile(r"<[A-Za-z_][^\s<>/]*")
_MAX_PREFIXES: Final = 64


@dataclass(frozen=True, slots=True)
class Repaired:
    """A text to be parsed, without an XML declaration."""

    text: str
    repaired: tuple[str, ...]
    """Marks of what was repaired in it."""


def repair(text: str) -> Repaired:
    """Repair illegal characters and unescaped markup in a text.

    Raises:
        DoctypeError: there is a document type declaration. No entity that a sender declares is ever expanded.
    """
    work = _Repair()
    text = without_padding(text)
    text = "".join(work.section(opening, piece) for opening, piece in _sections(text))
    return Repaired(work.without_surrogates(text), tuple(work.found))


def without_padding(text: str) -> str:
    """Return the text without its XML declaration, and without padding before and after the document."""
    return without_declaration(text.strip(_PADDING)).lstrip(_PADDING)


def without_declaration(text: str) -> str:
    """Return the text without the XML declaration, whose encoding no longer holds for a decoded text."""
    match = _DECLARATION.match(text)
    return text[match.end() :] if match else text


def restore(text: str) -> str:
    """Return a text from a repaired document with its escape sequences turned back."""
    return _SEQUENCE.sub(lambda match: _CHARACTERS.get(match[1], match[1]), text) if _ESCAPE in text else text


def declare_prefixes(text: str) -> str:
    """Return the text with a declaration, of a namespace that means nothing, for each prefix that its root has none of.

    A declaration further inside comes before it, for the elements for which it holds.
    """
    tags = _TAG.findall(text)
    used = dict.fromkeys(prefix for tag in tags for prefix in _PREFIXED.findall(tag))
    inside = {prefix for tag in tags[1:] for prefix in _DECLARES.findall(tag)}
    known = {"xml", "xmlns", *_DECLARES.findall(tags[0] if tags else "")}
    missing = sorted((prefix for prefix in used if prefix not in known), key=inside.__contains__)[:_MAX_PREFIXES]
    added = "".join(f' xmlns:{prefix}="urn:undeclared:{prefix}"' for prefix in missing)
    return _FIRST_TAG.sub(lambda match: match[0] + added, text, count=1)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Split a text, in one pass, into markup (opening ``""``) and sections, comments and instructions.

    A comment or an instruction that never ends is none.
    """
    here = start = 0
    endless: set[str] = set()
    while (match := _OPENING.search(text, start)) is not None:
        start = match.end()
        closing = _CLOSING[match[0]]
        end = -1 if closing in endless else text.find(closing, start)
        if end < 0:
            endless.add(closing)  # there is none further on either
            if match[0] != "<![CDATA[":
                continue
            end = len(text)
        yield "", text[here : match.start()]
        here = start = end + len(closing)
        yield match[0], text[match.start() : here]
    yield "", text[here:]


def _escaped(character: str) -> str:
    return _ESCAPE + _LETTERS[character]


@dataclass(slots=True)
class _Repair:
    """The repair of one text, with marks of what was found."""

    found: dict[str, None] = field(default_factory=dict)

    def section(self, opening: str, piece: str) -> str:
        if opening == "<![CDATA[":
            return _NEEDS_ESCAPE.sub(lambda match: self._escape(match[0]), piece)
        if opening:  # a comment or a processing instruction has no value in it
            return ""
        if _DOCTYPE.search(piece):
            raise DoctypeError
        return _SUSPECT.sub(self._repair_markup, piece)

    def without_surrogates(self, text: str) -> str:
        text, pairs = _PAIR.subn(self._join, text)
        text, lone = _LONE.subn("\ufffd", text)
        if pairs:
            self.found[SURROGATES] = None
        if lone:
            self.found[SURROGATE] = None
        return text

    def _join(self, match: re.Match[str]) -> str:
        character = match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        return _escaped(character) if character == _ESCAPE else character

    def _escape(self, character: str) -> str:
        if character != _ESCAPE:  # it is legal in XML, and escaped only because it begins escape sequences
            self.found[CONTROL] = None
        return _escaped(character)

    def _repair_markup(self, match: re.Match[str]) -> str:
        if match["character"]:
            return self._escape(match[0])
        if match["digits"]:
            return self._repair_reference(match)
        if match["name"]:
            return self._repair_entity(match["name"])
        self.found[UNESCAPED] = None
        return "&lt;" if match["tag"] else "]]&gt;" if match["end"] else f"&amp;{match[0][1:]}"

    def _repair_reference(self, match: re.Match[str]) -> str:
        try:
            character = chr(int(match["digits"], 16 if match["hex"] else 10))
        except (ValueError, OverflowError):  # no number, or the number of no character: text of the sender
            self.found[UNESCAPED] = None
            return f"&amp;{match[0][1:]}"
        if _NEEDS_ESCAPE.match(character):
            return self._escape(character)
        return character if _LONE.match(character) else f"&#{ord(character)};"

    def _repair_entity(self, name: str) -> str:
        """Turn an entity of HTML, as PHP's ``htmlentities`` writes it, into its characters; keep others as text."""
        if name in _PREDEFINED:
            return f"&{name}"
        meant = html5.get(name)
        self.found[ENTITY if meant else UNESCAPED] = None
        return "".join(_UNSAFE.get(character, character) for character in meant) if meant else f"&amp;{name}"
