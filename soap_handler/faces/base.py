"""What a face is: one version of the API, from the bytes of a request to what to commit and what to answer.

The HTTP rooms (``server``, ``web``) know faces by this file alone. A new face is one file and one line in ``app``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from soap_handler.journal import Entry
    from soap_handler.metrics.pushes import Result

PATH: Final = "/AccountEventHandler"
"""The path that is registered with EMS for SOAP and Form Post. A face may have a path of its own."""

BELOW: Final = "/*"
"""At the end of a face's path: every address below it."""
_START_BYTES: Final = 8  # of which one is the first "<"


class Request(NamedTuple):
    """A POST to one of a face's paths."""

    body: bytes
    caller: str
    """The address of the caller, or ``unknown``."""
    content_type: str = ""
    """The Content-Type header, which may name a charset."""
    path: str = ""
    """The path of the request, as it came."""
    authorization: str = ""
    """The Authorization header."""
    content_encoding: str = ""
    """The Content-Encoding header: how the body is compressed; empty where it is not, and when a face gets it."""
    traceparent: str = ""
    """The traceparent header (W3C Trace Context), which a proxy may write; used only where traces are on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response without its framing."""

    status: str
    """Code and reason, such as ``200 OK``."""
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers, by name and value. The answer to a push has none."""


class Exchange(NamedTuple):
    """A request between its two halves: what is to be committed, and the answer once it is."""

    entry: Entry | None
    """What is to be committed; ``None`` where the request was refused."""
    answer: Answer
    """What to send. Where there is an entry, only after its commit."""
    delay: float = 0.0
    """For how long (seconds) to hold the answer back."""
    result: Result = "refused_unreadable"
    """How the request was answered, for the metrics, where there is no entry."""
    refusal: str = ""
    """Why the request was refused, in words for its sender. Empty for a wrong login, which has an event of its own."""
    not_stored: Callable[[BaseException], Answer] | None = None
    """Takes the place of :meth:`Face.not_stored` where the form of that answer depends on the request."""


ReadMany: TypeAlias = "Callable[[Sequence[Request]], list[Exchange | None]]"
"""Prepares requests that arrived together; ``None`` leaves a request to :meth:`Face.prepare`. It may raise."""


def is_xml(body: bytes) -> bool:
    """Whether a body begins as XML does in any encoding, after a byte-order mark or white space."""
    return b"<" in body.lstrip()[:_START_BYTES]


class Face(ABC):
    """One version of the API. Thread-safe.

    A request has two halves with the commit between them: :meth:`prepare`, and the answer of its exchange, or
    :meth:`not_stored` where the commit failed.
    """

    api: str = ""
    """The label of this version of the API in metrics."""
    title: str = ""
    """What people call this version of the API."""
    paths: tuple[str, ...]
    """The paths at which it is reached; one may end with ``BELOW``. Letter case does not count."""
    media_types: tuple[str, ...] = ()
    """Media types that lead to it at the paths of other faces too, unless the body is XML all the same."""
    read_many: ReadMany | None = None
    """Seam for a faster :meth:`prepare`. Absent by default; it must give the same exchanges, or ``None``."""

    @abstractmethod
    def prepare(self, request: Request) -> Exchange:
        """Do everything up to the commit. Raises nothing: each request gets an answer."""

    @abstractmethod
    def not_stored(self, error: BaseException) -> Answer:
        """Return the answer to a request whose commit failed: EMS must push again."""

    @abstractmethod
    def refused(self, text: str, content_type: str = "", *, forbidden: bool = False) -> Answer:
        """Return the answer to a request that HTTP itself refuses; ``text`` says why, in words for its sender.

        ``content_type`` is that of the request, for a face whose answers have several forms. ``forbidden``: it was not
        the request but its sender that is refused.
        """

    @abstractmethod
    def failed(self, content_type: str = "") -> Answer:
        """Return the answer to a request over which a defect of ours broke: EMS must push again.

        ``content_type`` is as in :meth:`refused`.
        """

    def describe(self, query: Collection[str], address: str) -> Answer | None:  # noqa: ARG002 - none by default
        """Return the description for programs that GET asks for, such as a WSDL; ``None`` where it asks for none.

        ``query`` holds the names in the query string, in lower case. ``address`` is the whole URL at which the caller
        reaches the face. Pages for people are made elsewhere (``web/pages``).
        """
        return None
