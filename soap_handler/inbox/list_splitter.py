"""Cuts the messages out of the answer to GetMessages while it comes in. What is in a message is read elsewhere.

The whole inbox comes in one answer (contract, section 2). One message of it that no parser takes must cost no other,
and ten thousand must cost no more memory than one. So each is cut out at its own tags, and what is left, the envelope
around an empty list, is looked at as any answer is: it says whether the list was there, and whether it was whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from soap_handler.errors import InboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_MESSAGE: Final = 1024 * 1024  # bytes; a message has a few hundred
_LARGEST_REST: Final = 1024 * 1024  # bytes; an envelope has a few hundred, an error page a few thousand
_LONGEST_MARK: Final = 96  # bytes: longer than anything that _MARK matches, so that one cut in two is seen again
_MARK: Final = re.compile(
    rb"<!\[CDATA\[|<!--|<\?|<(?P<end>/?)(?:[\w.-]{1,32}:)?(?P<name>GetMessagesResult|message)(?=[\s/>])"
)
_CLOSING: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->", b"<?": b"?>"}


class Cutter:
    """Takes the bytes of an answer as they come, and gives the messages in it one by one."""

    def __init__(self) -> None:
        self.head = b""
        """The answer up to the first message; it declares the namespaces that the messages use."""
        self._rest = bytearray()
        self._buffer = bytearray()
        self._at = 0  # up to here the buffer was looked through
        self._listing = False
        self._tag = 0  # where the last tag that was found begins
        self._in_message = False
        self._too_large = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """Take more bytes; yield each message that is now complete, or ``None`` for one of absurd size.

        Raises:
            InboxUnavailableError: what is not in messages is too large.
        """
        self._buffer += chunk
        while (mark := self._next_mark()) is not None:
            name, kind = mark
            if name == b"GetMessagesResult":
                self._open_or_end(kind)
            elif self._listing and kind != "end":
                yield from self._begin(kind)
            elif self._in_message:
                yield self._complete()
        self._give_way()

    def keep(self, chunk: bytes) -> None:
        """Take more bytes in which no messages are looked for.

        Raises:
            InboxUnavailableError: as :meth:`feed`.
        """
        self._buffer += chunk
        self._put_aside(len(self._buffer))

    def rest(self) -> bytes:
        """Return the answer without its messages, once all of it was taken.

        Raises:
            InboxUnavailableError: it breaks off in a message, or it is in UTF-16, where none can be found.
        """
        rest = bytes(self._rest + self._buffer)
        if self._in_message or b"\0" in rest:
            raise InboxUnavailableError("a list that breaks off" if self._in_message else "an answer with NUL in it")
        return rest

    def _next_mark(self) -> tuple[bytes, str] | None:
        """Move on behind the next tag that matters; return its name, and whether it begins, ends or is empty."""
        while (match := _MARK.search(self._buffer, self._at)) is not None:
            closing = _CLOSING.get(match[0], b">")
            end = self._buffer.find(closing, match.end())
            if end < 0:
                self._at = match.start()
                return None
            self._at = end + len(closing)
            if match["name"]:
                self._tag = match.start()
                empty = self._buffer[end - 1 : end] == b"/"
                return match["name"], "end" if match["end"] else "empty" if empty else "begin"
        self._at = max(self._at, len(self._buffer) - _LONGEST_MARK)
        return None

    def _open_or_end(self, kind: str) -> None:
        if kind == "begin" and not self.head:
            self._put_aside(self._at)  # as it is: white space counts within a tag that came in two pieces
            self.head = bytes(self._rest)
            self._listing = True
        elif kind == "end" and not self._in_message:
            self._listing = False

    def _begin(self, kind: str) -> Iterator[bytes | None]:
        if self._in_message:  # one within another: whoever reads the outer one will say no
            return
        self._put_aside(self._tag)
        self._in_message = True
        if kind == "empty":
            yield self._complete()

    def _complete(self) -> bytes | None:
        message = bytes(self._buffer[: self._at])
        del self._buffer[: self._at]
        too_large, self._too_large = self._too_large or len(message) > _LARGEST_MESSAGE, False
        self._at, self._in_message = 0, False
        return None if too_large else message

    def _put_aside(self, length: int) -> None:
        """Move so many bytes from the buffer to what is left; between messages there is only white space."""
        aside = self._buffer[:length]
        self._rest += aside.strip() if self._listing else aside
        del self._buffer[:length]
        self._at -= length
        if len(self._rest) > _LARGEST_REST:
            raise InboxUnavailableError(f"an answer with more than {_LARGEST_REST} bytes outside of messages")

    def _give_way(self) -> None:
        """Keep no more in the buffer than what may still matter."""
        if not self._in_message:
            self._put_aside(self._at)
        elif self._too_large or self._at > _LARGEST_MESSAGE:
            self._too_large = True
            del self._buffer[: self._at]
            self._at = 0
