"""From a text that is nearly XML to one that a strict parser takes, and what had to be mended. No SOAP here.

Only what says for itself what its sender meant is mended: characters that XML cannot hold, and marks that were left
unescaped. Where tags do not match, or the end is missing, nobody can know, and it stays refused.

Characters that XML cannot hold travel through the parser as two that it can hold; :func:`restore` turns them back. So a
body comes out with the very control characters that the phone sent. Every step takes time in proportion to the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.entities import html5
from typing import TYPE_CHECKING, Final

from soap_handler.xml.charsets import SURROGATES

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL: Final = "control character"
SURROGATE: Final = "lone surrogate"
ENTITY: Final = "named entity"
UNESCAPED: Final = "unescaped character"
PREFIX: Final = "undeclared prefix"
MARKUP: Final = "markup"
"""What was mended; ``MARKUP`` is all else that a strict parser minds and a mended text lacks."""

_ESCAPE: Final = "\U0010fffd"
_ILLEGAL: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
_STAND_INS: Final = {
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},  # Unicode's pictures of the control characters
    "\ufffe": "E",
    "\uffff": "F",
    _ESCAPE: _ESCAPE,
}
_MEANT: Final = {stand_in: character for character, stand_in in _STAND_INS.items()}
_STOOD_IN: Final = re.compile(f"{_ESCAPE}(.)", re.DOTALL)

_DECLARATION: Final = re.compile(r"<\?xml\s[^<>]{0,512}\?>")
_DOCTYPE: Final = re.compile("<!DOCTYPE", re.IGNORECASE)
_OUTSIDE: Final = "\ufeff\x00 \t\r\n"  # before the first tag and after the last one these say nothing
_OPENING: Final = re.compile(r"<!\[CDATA\[|<!--|<\?")
_CLOSING: Final = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_UNABLE: Final = re.compile(f"[{_ILLEGAL}{_ESCAPE}]")
_SUSPECT: Final = re.compile(
    rf"&(?:\#(?P<hex>[xX]?)0*(?P<digits>[0-9a-fA-F]{{1,8}});|(?P<name>[A-Za-z][A-Za-z0-9]{{1,31}};)?)"
    rf"|(?P<character>[{_ILLEGAL}{_ESCAPE}])"
    r"|(?P<tag><(?![A-Za-z_:/!?]|[^\x00-\x7f]))"
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
_MOST_PREFIXES: Final = 16


class ForbiddenError(ValueError):
    """The text has a document type declaration, which SOAP forbids (SOAP 1.1, section 3)."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A text to be parsed, without an XML declaration."""

    text: str
    repaired: tuple[str, ...]


def mend(text: str) -> Mended:
    """Return the text with what can be mended mended.

    Raises:
        ForbiddenError: there is a document type declaration; no entity of anybody's is ever expanded.
    """
    work = _Mending()
    text = without_outside(text)
    text = "".join(work.section(opening, piece) for opening, piece in _sections(text))
    return Mended(work.without_surrogates(text), tuple(work.found))


def without_outside(text: str) -> str:
    """Return the text without its XML declaration, and without what says nothing before and after the document."""
    return without_declaration(text.strip(_OUTSIDE)).lstrip(_OUTSIDE)


def without_declaration(text: str) -> str:
    """Return the text without the XML declaration, which speaks of bytes."""
    match = _DECLARATION.match(text)
    return text[match.end() :] if match else text


def restore(text: str) -> str:
    """Return a text that was read from a mended document as its sender meant it."""
    return _STOOD_IN.sub(lambda match: _MEANT.get(match[1], match[1]), text) if _ESCAPE in text else text


def declare_prefixes(text: str) -> str:
    """Return the text with every namespace prefix declared that it uses and nowhere declares, as names of nothing."""
    tags = _TAG.findall(text)
    used = dict.fromkeys(prefix for tag in tags for prefix in _PREFIXED.findall(tag))
    known = {prefix for tag in tags for prefix in _DECLARES.findall(tag)} | {"xml", "xmlns"}
    missing = [prefix for prefix in used if prefix not in known][:_MOST_PREFIXES]
    added = "".join(f' xmlns:{prefix}="urn:undeclared:{prefix}"' for prefix in missing)
    return _FIRST_TAG.sub(lambda match: match[0] + added, text, count=1)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text into markup (opening ``""``) and what markup is not looked for in, in order. One pass."""
    here = 0
    while (match := _OPENING.search(text, here)) is not None:
        yield "", text[here : match.start()]
        closing = _CLOSING[match[0]]
        end = text.find(closing, match.end())
        here = end + len(closing) if end >= 0 else len(text)
        yield match[0], text[match.start() : here]
    yield "", text[here:]


def _stand_in(character: str) -> str:
    return _ESCAPE + _STAND_INS[character]


@dataclass(slots=True)
class _Mending:
    """Mends one text and remembers what it found."""

    found: dict[str, None] = field(default_factory=dict)

    def section(self, opening: str, piece: str) -> str:
        if opening == "<![CDATA[":
            return _UNABLE.sub(lambda match: self._replace(match[0]), piece)
        if opening:  # comments and processing instructions say nothing to us
            return ""
        if _DOCTYPE.search(piece):
            raise ForbiddenError
        return _SUSPECT.sub(self._mend_markup, piece)

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
        return _stand_in(character) if character == _ESCAPE else character

    def _replace(self, character: str) -> str:
        if character != _ESCAPE:  # which XML can hold; it is escaped only because it escapes
            self.found[CONTROL] = None
        return _stand_in(character)

    def _mend_markup(self, match: re.Match[str]) -> str:
        if match["character"]:
            return self._replace(match[0])
        if match["digits"]:
            return self._mend_reference(match)
        if match["name"]:
            return self._mend_entity(match["name"])
        self.found[UNESCAPED] = None
        return "&lt;" if match["tag"] else "]]&gt;" if match["end"] else f"&amp;{match[0][1:]}"

    def _mend_reference(self, match: re.Match[str]) -> str:
        try:
            character = chr(int(match["digits"], 16 if match["hex"] else 10))
        except (ValueError, OverflowError):  # not a number, or not a character's: somebody's text
            self.found[UNESCAPED] = None
            return f"&amp;{match[0][1:]}"
        if _UNABLE.match(character):
            return self._replace(character)
        return character if _LONE.match(character) else f"&#{ord(character)};"

    def _mend_entity(self, name: str) -> str:
        """Turn an entity of HTML, as PHP's ``htmlentities`` writes it, into what it stands for; keep others as text."""
        if name in _PREDEFINED:
            return f"&{name}"
        meant = html5.get(name)
        self.found[ENTITY if meant else UNESCAPED] = None
        return "".join(_UNSAFE.get(character, character) for character in meant) if meant else f"&amp;{name}"
