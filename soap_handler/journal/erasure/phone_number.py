"""Finding a phone number in a text, however it is written. What is done about it is in ``erase``.

Numbers are compared by their digits, without a leading "+" or "00": ``+44 7700 900123``, ``0044 7700 900123`` and
``447700900123`` are one. A national form (``07700 900123``) is another one: nothing says which country is meant.
A number of fewer than seven digits is a short code, and a text with letters is the name of a sender. Neither is a
person's phone number: they are compared as they are, and not searched for inside other texts.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ERASED: Final = "[erased]"
"""What stands in the place of personal data that was erased."""

_FEWEST_DIGITS: Final = 7
_WRITTEN: Final = re.compile(r"[\d\s+\-./()\u00a0\u2010-\u2015]+")
_BETWEEN: Final = r"(?:\(0\)|[\s\-./()\u2010-\u2015]){0,3}"
"""What may stand between two digits: spaces, dashes, dots, brackets, and the "(0)" of +44 (0)7700."""
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Trace:
    """A number, or the name of a sender, that is looked for."""

    def __init__(self, given: str) -> None:
        """Take a number as a person writes it.

        Raises:
            ValueError: it is blank.
        """
        self._name = given.strip()
        if not self._name:
            raise ValueError("expected a phone number")
        self.digits = _digits(self._name)
        """The digits of a phone number; empty for a short code and for a name."""
        if len(self.digits) < _FEWEST_DIGITS:
            self.digits = ""
        self._pattern = re.compile(rf"(?<!\d)(?:\+|00)?{_BETWEEN.join(self.digits)}(?!\d)") if self.digits else None

    @property
    def name(self) -> str:
        """The number in one form, however it was written; a short code and a name as they are."""
        return self.digits or self._name

    def is_meant(self, text: str | None) -> bool:
        """Whether a whole text, such as an originator, is this number or name."""
        if not text:
            return False
        return _digits(text) == self.digits if self.digits else text.strip() == self._name

    def is_in(self, text: str) -> bool:
        """Whether the number occurs in a text."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def is_in_bytes(self, raw: bytes) -> bool:
        """Whether the number occurs in a request, in whatever encoding: UTF-16 is ASCII with NULs between."""
        return self.is_in(html.unescape(raw.replace(b"\0", b"").decode("latin-1")))

    def without(self, text: str) -> str:
        """Return a text with the number replaced wherever it occurs."""
        return text if self._pattern is None else self._pattern.sub(ERASED, text)

    def without_in(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a JSON value with the number replaced in all of its texts; a GUID is no number."""
        match value:
            case str():
                return value if _GUID.fullmatch(value) else self.without(value)
            case list():
                return [self.without_in(each) for each in value]
            case dict():
                return {name: self.without_in(each) for name, each in value.items()}
            case _:
                return value


def is_any(trace: Trace, texts: Iterable[Any]) -> bool:
    """Whether one of some values is the number."""
    return any(isinstance(text, str) and trace.is_meant(text) for text in texts)


def _digits(text: str) -> str:
    """Return the digits of a text that is written like a phone number, else nothing."""
    if not _WRITTEN.fullmatch(text.strip()):
        return ""
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    digits = "".join(str(int(digit)) for digit in digits)  # other scripts have digits of their own
    international = "+" not in text and digits.startswith("00")
    return digits[2:] if international else digits
