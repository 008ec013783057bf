"""The calls to the inbox service (contract, section 2). confirmation.py reads the answers."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from soap_handler.contract import NAMESPACE, wsdl_path
from soap_handler.errors import InboxFaultError
from soap_handler.inbox.confirmation import Answer, confirm
from soap_handler.inbox.message_stream import ListSplitter
from soap_handler.inbox.messages import MessageReader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from soap_handler.inbox.messages import InboxMessage, Unreadable
    from soap_handler.inbox.transport import Stream, Transport
    from soap_handler.settings import InboxSettings

_BINDING: Final = f"{{{NAMESPACE}}}InboxServiceSoap"
IDLE_SECONDS: Final = 60.0  # a firewall that forgets a connection does so after some minutes, and says nothing


class _Line(NamedTuple):
    """A zeep service with a connection of its own, for one call at a time."""

    service: Any
    transport: Transport


class Inbox:
    """The EMS inbox of one account. Thread-safe; its builder closes it.

    It is nothing but settings until the first call. A connection is kept alive for the calls that follow within a
    minute; then it is closed, and a later call makes a new one.

    No call lasts longer than the connect timeout and the timeout of the settings together, however slowly the answer
    drips. No call succeeds without the answer that the contract demands.
    """

    def __init__(self, account_reference: str, settings: InboxSettings) -> None:
        self._account = account_reference
        self._settings = settings
        self._kept: list[tuple[float, _Line]] = []  # since when they are idle, longest first
        self._closed = False
        self._lock = threading.Lock()

    @property
    def longest_call(self) -> timedelta:
        """How long a call can last at most."""
        return timedelta(seconds=self._settings.connect_timeout + self._settings.timeout)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the messages with these ids, in one call. EMS has confirmed it when this returns.

        Raises:
            MessageGoneError: EMS does not know the message, or one of them.
            InboxRefusedError: EMS refuses the credentials or the account.
            InboxFaultError: EMS answered with another SOAP fault.
            InboxUnavailableError: anything else; whether the messages were deleted is not known.
        """
        if len(ids) == 1:
            self._call("DeleteMessage", id=ids[0])
        elif ids:
            self._call("DeleteMessages", ids={"string": list(ids)})

    def messages(
        self, *, timeout: float = 120.0, largest: int = 64 * 1024 * 1024
    ) -> Generator[InboxMessage | Unreadable]:
        """Yield every message in the inbox, in the order of EMS, while the list comes in.

        ``timeout`` (seconds) is for the whole list, the caller's own work between two messages included; ``largest``
        is in bytes. A message that cannot be read is yielded as :class:`Unreadable` and stops no other. A caller that
        stops early closes the iterator. What was yielded is in the inbox, even if an error follows; only an iterator
        that ends by itself has yielded all of it.

        Raises:
            InboxError: as :meth:`delete`; also when the list breaks off.
        """
        line = self._new_line(timeout)  # not kept: the next list is minutes away
        splitter = ListSplitter()
        with closing(line.transport):
            stream: Stream = self._send("GetMessages", line)
            with stream:
                # Another status confirms nothing, and a fault may use the names of a message for something else.
                read = _read_all if stream.status == HTTPStatus.OK else _keep_all
                yield from read(splitter, stream.chunks(largest))
        confirm("GetMessages", Answer(stream.status, splitter.rest()))

    def check_login(self) -> None:
        """Ask for the messages of a day long past: it changes nothing, and proves address, credentials and account.

        Raises:
            InboxError: as :meth:`delete`.
        """
        self._call("GetMessagesForDay", year=2000, month=1, day=1)

    def close(self) -> None:
        """Close the connections; one that is in use, at the end of its call."""
        self._closed = True
        self.close_idle(0.0)

    def close_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Close the connections that have not been used for so long, and let go of what belongs to them."""
        before = time.monotonic() - seconds
        with self._lock:
            idle = [line for since, line in self._kept if since <= before]
            self._kept = [(since, line) for since, line in self._kept if since > before]
        for line in idle:
            line.transport.close()

    def _call(self, operation: str, **parameters: object) -> None:
        with self._line() as line:
            answer = self._send(operation, line, **parameters)
        confirm(operation, answer)

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        """Take a line that is idle, the one that was used last, or a new one; keep it afterwards."""
        self.close_idle()
        with self._lock:
            line = self._kept.pop()[1] if self._kept else None
        line = line or self._new_line()
        try:
            yield line
        finally:
            with self._lock:
                self._kept.append((time.monotonic(), line))
            if self._closed:
                self.close_idle(0.0)

    def _send(self, operation: str, line: _Line, **parameters: object) -> Any:  # noqa: ANN401 - zeep has no types
        """Return what the transport of this line gives for an answer."""
        try:
            return line.service[operation](**parameters, _soapheaders={"MessengerHeader": self._header()})
        except ValueError:
            # lxml's "All strings must be XML compatible": EMS has no message of such an id, but may have the others.
            raise InboxFaultError("the call cannot be written as XML") from None

    def _header(self) -> dict[str, str]:
        return {
            "Username": self._settings.username,
            "Password": self._settings.password.get_secret_value(),
            "Account": self._account,
        }

    def _new_line(self, list_timeout: float | None = None) -> _Line:
        """Return a new line, for calls or for a list, which is streamed. It connects at its first call."""
        from soap_handler.inbox import transport as transports  # noqa: PLC0415 - it imports requests; see _zeep

        if list_timeout is None:
            transport = transports.Transport(self._settings)
        else:
            transport = transports.StreamingTransport(self._settings, list_timeout)
        # The answer is read by us: zeep takes an empty Body and an empty response for the same thing.
        client = _zeep().Client(_wsdl(), transport=transport, settings=_zeep().Settings(raw_response=True))
        return _Line(client.create_service(_BINDING, self._settings.url), transport)


def _read_all(splitter: ListSplitter, chunks: Iterator[bytes]) -> Iterator[InboxMessage | Unreadable]:
    """Yield each message as soon as it is complete."""
    reader = None
    for chunk in chunks:
        for message in splitter.feed(chunk):
            reader = reader or MessageReader(splitter.head)
            yield reader.read(message)


def _keep_all(splitter: ListSplitter, chunks: Iterator[bytes]) -> Iterator[InboxMessage | Unreadable]:
    """Take the whole answer as one text; yield nothing."""
    for chunk in chunks:
        splitter.keep(chunk)
    yield from ()


@cache
def _wsdl() -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return the parsed WSDL. It never changes once it is read, so all threads and accounts share one."""
    return _zeep().wsdl.Document(str(wsdl_path("InboxService")), _zeep().Transport())


def _zeep() -> Any:  # noqa: ANN401 - zeep publishes no types
    """Return zeep, imported at the first call: a quarter of a second and some megabytes that a start need not pay."""
    import zeep  # noqa: PLC0415 - see above

    return zeep
