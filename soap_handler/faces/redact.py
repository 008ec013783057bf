"""Masking of a secret in the texts of a document that is kept. All other bytes stay as they came.

Each text and each attribute that says the secret is masked, wherever it stands and whatever its name is: whole, or the
part that is the secret. Nothing is lost by that to those who know the secret. Names of the contract stay, even where
the secret is a part of one: a password ``ems`` is in the namespace of each request.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from soap_handler.contract import (
    CREDENTIALS,
    MESSENGER_HEADER,
    NAMESPACE,
    OPERATIONS,
    SOAP_11,
    SOAP_12,
    XML_PUSH_FRAME,
    Structure,
)
from soap_handler.errors import DoctypeError
from soap_handler.xml.charsets import decode, wide_codec
from soap_handler.xml.repair import repair, restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from soap_handler.contract import Parameter

REDACTED: Final = "***"

_NAMESPACES: Final = (
    *(NAMESPACE, SOAP_11, SOAP_12, "http://schemas.xmlsoap.org/soap/encoding/", "http://xml.apache.org/xml-soap"),
    *("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/2001/XMLSchema"),
)
_REFERENCE_CHARACTERS: Final = 16  # for one character of a secret, at most, as a reference is written
_MARKUP: Final = re.compile(r"(<!\[CDATA\[|\]\]>|<!--|-->|<[^<>]*>)")
_REFERENCE: Final = re.compile(r"&|[\x00-\x08\x0b-\x1f]|[^\x00-\x7f]")  # what a text may say in another way
_ENDLESS: Final = re.compile("&#0*[1-9][0-9]{8,}")  # the number of no character, which Python may refuse to read


def _names(parameters: Iterable[Parameter]) -> Iterator[str]:
    for parameter in parameters:
        for spelling in parameter.spellings.values():
            yield from spelling.split("/")
        if isinstance(parameter.type, Structure):
            yield from _names(parameter.type.members)


_WORDS: Final = {
    *_names((*CREDENTIALS, *XML_PUSH_FRAME)),
    *(name for operation in OPERATIONS.values() for name in _names(operation.parameters)),
    *(name for operation in OPERATIONS.values() for name in (operation.kind.value, operation.xml_push)),
    *(MESSENGER_HEADER, "Envelope", "Header", "Body", "item", "key", "value", "soap"),
    *("xml", "xmlns", "version", "encoding"),
}
_CONTRACT: Final = re.compile(
    "|".join(map(re.escape, _NAMESPACES)) + rf"|(?<!\w)(?:{'|'.join(sorted(map(re.escape, _WORDS)))})(?!\w)",
    re.IGNORECASE,
)
_CONTRACT_WORDS: Final = "\n".join((*_NAMESPACES, *_WORDS)).lower()


def codec_of(body: bytes) -> str:
    """Return a codec whose characters are those of a document's markup, and by which its bytes come back."""
    return wide_codec(body) or "latin-1"


def without_secret(body: bytes, secret: str, label: str | None = None) -> bytes | None:
    """Return a document with a secret masked; ``None`` where it can still be found in it.

    ``label`` is the charset of its Content-Type.
    """
    if not secret:
        return body
    codec = codec_of(body)
    whole = len(body) - len(body) % len(" ".encode(codec))  # it may end in the middle of a character
    try:
        text = masked(body[:whole].decode(codec, "surrogatepass"), secret, codec)
        kept = without_bytes(text.encode(codec, "surrogatepass"), secret, codec) + body[whole:]
        return None if leaks(kept, secret, label) else kept
    except (DoctypeError, ValueError):
        return None


def masked(text: str, secret: str, codec: str) -> str:
    """Return a document's text, decoded by :func:`codec_of`, with a secret masked."""
    mask = _Mask(secret, codec)
    pieces = _MARKUP.split(text)
    pieces[::2] = map(mask.text, pieces[::2])
    if mask.is_in(text):
        pieces[1::2] = map(mask.tag, pieces[1::2])
    return "".join(pieces)


def without_bytes(document: bytes, secret: str, codec: str) -> bytes:
    """Return a document with the bytes of a secret masked, where its characters are wider: a sender may mix the two."""
    if codec == "latin-1":
        return document  # there the bytes are the characters
    for form in _in_bytes(secret):
        document = document.replace(form.encode("latin-1"), b"*" * len(form))
    return document


def leaks(kept: bytes, secret: str, label: str | None) -> bool:
    """Whether a secret can still be found in a document, in any form in which a sender may write it.

    Raises:
        DoctypeError: that is not sure, since there is a document type declaration.
    """
    text = decode(kept, label).text
    repaired = repair(text).text
    plain = _unescaped(_MARKUP.sub("", repaired))
    if secret.lower() in _CONTRACT_WORDS:
        text, repaired = _without_contract(text), _without_contract(repaired)
    forms = (text, _unescaped(repaired), plain)
    return any(each in form for each in (secret, _in_base64(secret)) for form in forms)


def _unescaped(text: str) -> str:
    return html.unescape(_ENDLESS.sub("", restore(text)))


def _without_contract(text: str) -> str:
    return _MARKUP.sub(lambda match: _CONTRACT.sub(" ", match[0]), text)


def _in_base64(secret: str) -> str:
    return b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("=")


class _Mask:
    """Masks a secret in the pieces of one document."""

    def __init__(self, secret: str, codec: str) -> None:
        self._secret = secret.strip()
        self._codec = codec
        self._longest = _REFERENCE_CHARACTERS * len(secret)
        self._forms = _forms(secret, codec)

    def is_in(self, text: str) -> bool:
        """Whether a text says the secret in one of the ways that are masked within a text."""
        return any(form in text for form in self._forms)

    def tag(self, tag: str) -> str:
        """Return a tag with the secret masked in it, except in names of the contract."""
        if not self.is_in(tag):
            return tag
        here, pieces = 0, []
        for match in _CONTRACT.finditer(tag):
            pieces += [self._replaced(tag[here : match.start()]), match[0]]
            here = match.end()
        return "".join((*pieces, self._replaced(tag[here:])))

    def text(self, text: str) -> str:
        """Return a text with the secret masked in it; all of it, where it says nothing else."""
        if not text or text.isspace():
            return text
        replaced = self._replaced(text)
        core = replaced.strip()
        if len(core) > self._longest or not _REFERENCE.search(core) or self._said(core) != self._secret:
            return replaced
        return replaced.replace(core, REDACTED)

    def _replaced(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def _said(self, text: str) -> str:
        raw = decode(text.encode("latin-1")).text if self._codec == "latin-1" else text
        return _unescaped(repair(raw).text).strip()


def _forms(secret: str, codec: str) -> tuple[str, ...]:
    """Return the ways to write a secret that are masked within a text too, the longest first."""
    written = [secret] if codec != "latin-1" else [*_in_bytes(secret)]
    escaped = {html.escape(each, quote=quote) for each in written for quote in (True, False)}
    return tuple(sorted({*written, *escaped, _in_base64(secret)}, key=len, reverse=True))


def _in_bytes(secret: str) -> Iterator[str]:
    for codec in ("utf-8", "cp1252", "latin-1"):
        try:
            yield secret.encode(codec, "surrogatepass" if codec == "utf-8" else "strict").decode("latin-1")
        except UnicodeEncodeError:
            continue
