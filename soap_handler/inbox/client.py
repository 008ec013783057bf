"""The calls to the inbox service (contract, section 2). confirmation.py reads the answers."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from soap_handler.contract import soap_action
from soap_handler.envelope_writer import EnvelopeWriter
from soap_handler.errors import InboxFaultError
from soap_handler.inbox.confirmation import Answer, confirm
from soap_handler.inbox.connections import Connections
from soap_handler.inbox.message_stream import ListSplitter
from soap_handler.inbox.messages import MessageReader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from lxml.etree import _Element

    from soap_handler.inbox.messages import InboxMessage, Unreadable
    from soap_handler.settings import InboxSettings

_ANSWER_BYTES: Final = 32 * 1024 * 1024  # at most; all messages of a day come in one answer (contract, section 2)
_writer: Final = EnvelopeWriter("InboxService")


class Inbox:
    """The EMS inbox of one account. Thread-safe; its builder closes it.

    It is nothing but settings: each call borrows a connection.

    No call lasts longer than the connect timeout and the timeout of the settings together, however slowly the answer
    drips. No call succeeds without the answer that the contract demands.
    """

    def __init__(self, account_reference: str, settings: InboxSettings, shared: Connections | None = None) -> None:
        """``shared`` are the connections that it borrows, and does not close; without them it has its own."""
        self._account = account_reference
        self._settings = settings
        self._connections = Connections() if shared is None else shared
        self._shares = shared is not None

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
        splitter = ListSplitter()
        with self._sent("GetMessages", timeout, largest) as (status, chunks):
            # Another status confirms nothing, and a fault may use the names of a message for something else.
            yield from (_read_all if status == HTTPStatus.OK else _keep_all)(splitter, chunks)
        confirm("GetMessages", Answer(status, splitter.rest()))

    def check_login(self) -> None:
        """Ask for the messages of a day long past: it changes nothing, and proves address, credentials and account.

        Raises:
            InboxError: as :meth:`delete`.
        """
        self._call("GetMessagesForDay", year=2000, month=1, day=1)

    def close(self) -> None:
        """Close the connections that are its own; one that is in use, at the end of its call."""
        if not self._shares:
            self._connections.close()

    def _call(self, operation: str, **parameters: object) -> None:
        with self._sent(operation, self._settings.timeout, _ANSWER_BYTES, **parameters) as (status, chunks):
            answer = Answer(status, b"".join(chunks))
        confirm(operation, answer)

    @contextmanager
    def _sent(
        self, operation: str, timeout: float, largest: int, **parameters: object
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Call an operation; yield the status of the answer, and its bytes as they come in, bounded as a whole."""
        envelope = self._envelope(operation, parameters)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action(operation)}"'}
        timeouts = self._settings.connect_timeout, timeout
        with (
            self._connections.to(self._settings) as connection,
            connection.post(self._settings.url, envelope, headers, timeouts, largest) as answer,
        ):
            yield answer

    def _envelope(self, operation: str, parameters: dict[str, object]) -> _Element:
        header = {
            "Username": self._settings.username,
            "Password": self._settings.password.get_secret_value(),
            "Account": self._account,
        }
        try:
            return _writer.write(operation, header, parameters)
        except ValueError:  # EMS has no message of such an id, but may have the others
            raise InboxFaultError("the call cannot be written as XML") from None


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
