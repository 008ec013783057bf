"""A streaming splitter: cuts the messages out of the answer to GetMessages while it comes in, without parsing them.

The whole inbox comes in one answer (contract, section 2). One message of it that no parser takes must cost no other,
and ten thousand must cost no more memory than one. So each is cut out at its own tags. What is left, the envelope
around an empty list, is checked like any other answer: it says whether the list was there, and whether it was whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from soap_handler.errors import InboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MESSAGE_BYTES: Final = 1024 * 1024  # at most; a message has a few hundred
_REST_BYTES: Final = 1024 * 1024  # at most; an envelope has a few hundred, an error page a few thousand
_MARK_BYTES: Final = 96  # longer than anything that _MARK matches, so that one cut in two is seen again
_MARK: Final = re.compile(
    rb"<!\[CDATA\[|<!--|<\?|<(?P<end>/?)(?:[\w.-]{1,32}:)?(?P<name>GetMessagesResult|message)(?=[\s/>])"
)
_CLOSING: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->", b"<?": b"?>"}


class ListSplitter:
    """Takes the bytes of an answer as they come, and yields the messages in it one by one."""

    def __init__(self) -> None:
        self.head = b""
        """The answer up to the first message; it declares the namespaces that the messages use."""
        self._rest = bytearray()
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer that were looked through
        self._in_list = False
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
            elif self._in_list and kind != "end":
                yield from self._begin(kind)
            elif self._in_message:
                yield self._complete()
        self._shrink()

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
        while (match := _MARK.search(self._buffer, self._scanned)) is not None:
            closing = _CLOSING.get(match[0], b">")
            end = self._buffer.find(closing, match.end())
            if end < 0:
                self._scanned = match.start()
                return None
            self._scanned = end + len(closing)
            if match["name"]:
                self._tag = match.start()
                empty = self._buffer[end - 1 : end] == b"/"
                return match["name"], "end" if match["end"] else "empty" if empty else "begin"
        self._scanned = max(self._scanned, len(self._buffer) - _MARK_BYTES)
        return None

    def _open_or_end(self, kind: str) -> None:
        if kind == "begin" and not self.head:
            self._put_aside(self._scanned)  # as it is: white space counts within a tag that came in two pieces
            self.head = bytes(self._rest)
            self._in_list = True
        elif kind == "end" and not self._in_message:
            self._in_list = False

    def _begin(self, kind: str) -> Iterator[bytes | None]:
        if self._in_message:  # one within another: the reader of the outer one will refuse it
            return
        self._put_aside(self._tag)
        self._in_message = True
        if kind == "empty":
            yield self._complete()

    def _complete(self) -> bytes | None:
        message = bytes(self._buffer[: self._scanned])
        del self._buffer[: self._scanned]
        too_large, self._too_large = self._too_large or len(message) > _MESSAGE_BYTES, False
        self._scanned, self._in_message = 0, False
        return None if too_large else message

    def _put_aside(self, length: int) -> None:
        """Move so many bytes from the buffer to what is left; between messages there is only white space."""
        aside = self._buffer[:length]
        self._rest += aside.strip() if self._in_list else aside
        del self._buffer[:length]
        self._scanned -= length
        if len(self._rest) > _REST_BYTES:
            raise InboxUnavailableError(f"an answer with more than {_REST_BYTES} bytes outside of messages")

    def _shrink(self) -> None:
        """Keep no more in the buffer than what may still matter."""
        if not self._in_message:
            self._put_aside(self._scanned)
        elif self._too_large or self._scanned > _MESSAGE_BYTES:
            self._too_large = True
            del self._buffer[: self._scanned]
            self._scanned = 0
