"""waitress around the WSGI application: listening, its loop, draining. What a connection does is ``channel``'s."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from waitress import create_server, wasyncore

from soap_handler.metrics.catalogue import CONNECTIONS
from soap_handler.server import forked_child, open_files
from soap_handler.server.channel import Channel
from soap_handler.server.connection_limits import Limits
from soap_handler.web.refusals import Refusals

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from soap_handler.faces.base import Face
    from soap_handler.settings import ServerSettings

_ACCEPT_BATCH: Final = 64  # connections accepted in one turn; waitress takes one, and each turn looks at all of them
_POLL_SECONDS: Final = 0.5  # how late a stop may be noticed when nothing else happens
_DRAIN_POLL_SECONDS: Final = 0.02
_NEXT_REQUEST_SECONDS: Final = (
    0.1  # during a drain: a request may be on its way on a connection that was busy so lately
)
SILENCE_SECONDS: Final = 2.0
"""During a drain: without a byte for so long, the rest of a request is not waited for."""
_DISCARDED_BYTES: Final = 64 * 1024 * 1024  # a longer body is not read to its end, so its sender may miss our answer
_UNLIMITED: Final = 2**30  # for the limits of waitress that ``Limits`` replaces


def parser_limits(settings: ServerSettings) -> dict[str, int]:
    """Return the limits of one request, by waitress's names for them."""
    return {
        "max_request_header_size": settings.max_header_size,
        "inbuf_overflow": settings.max_body + 2,  # see ``BoundedBuffer``
        "max_request_body_size": max(_DISCARDED_BYTES, 4 * settings.max_body),
    }


class Server:
    """A waitress server that can be told to stop without losing an answer. It listens as soon as it exists.

    Its owner must call :meth:`run`, which gives everything back when it ends (at once after :meth:`stop`).
    """

    def __init__(
        self,
        application: Callable[..., Any],
        settings: ServerSettings,
        refusing_face: Callable[[str, str], Face],
        *,
        sockets: Sequence[socket.socket] = (),
        dispatcher: Any = None,  # noqa: ANN401 - waitress has no types
        channel_class: type[Channel] = Channel,
    ) -> None:
        """Listen. Port 0 takes a free one. Without a ``dispatcher``, waitress's request threads serve.

        ``refusing_face`` gives, for a path and a Content-Type, the face that words the answer where waitress itself
        refuses a request.
        ``sockets`` are listened on in place of the settings' address; other processes may share them. A dispatcher may
        have a method ``after_poll``, which is called after each turn of the loop, in its thread.

        Raises:
            OSError: the address cannot be listened on.
        """
        self.sockets: dict[int, Any] = {}
        """waitress's map of what its loop waits for, by file number. For the loop's thread, or before :meth:`run`."""
        self.alive: Callable[[], None] = lambda: None
        """Called twice a second, or more often, in the loop's thread: the loop turns."""
        self._limits = Limits(settings, open_files.make_room(settings.connections))
        self._after_poll: Callable[[], None] = getattr(dispatcher, "after_poll", lambda: None)
        self._next_check = 0.0
        self._stopping = False
        self._drain_until: float | None = None  # set once the drain has begun
        try:
            self._create(application, settings, sockets, dispatcher)
        except OSError:
            self._give_back(self._find_listeners(), timeout=1)  # waitress leaves its threads running
            raise
        self._listeners = self._find_listeners()
        refusals = Refusals()
        for listener in self._listeners:
            listener.channel_class = channel_class
            listener.refusing_face = refusing_face
            listener.refusals = refusals
            listener.draining = False
            listener.adj.max_headers = settings.max_headers
            listener.handle_accept = partial(self._accept_waiting, listener.handle_accept)
        forked_child.close_in_children(self)
        self.port = int(self._listeners[0].effective_port)
        """The port that is listened on."""

    def _create(
        self,
        application: Callable[..., Any],
        settings: ServerSettings,
        sockets: Sequence[socket.socket],
        dispatcher: Any,  # noqa: ANN401 - waitress has no types
    ) -> None:
        address = {"sockets": list(sockets)} if sockets else {"host": settings.host, "port": settings.port}
        create_server(
            application,
            map=self.sockets,
            **address,
            server_name=settings.host,  # for callers that name none; waitress would invent one
            _dispatcher=dispatcher,
            threads=settings.threads,
            ident=None,  # we don't tell what we are made of
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=False,  # ``web.client_address`` knows which proxies to believe
            connection_limit=_UNLIMITED,
            channel_timeout=_UNLIMITED,
            cleanup_interval=_UNLIMITED,
            **parser_limits(settings),
        )

    @property
    def connections(self) -> list[Channel]:
        """The connections that are open."""
        return [each for each in list(self.sockets.values()) if isinstance(each, Channel)]

    # -- serving -----------------------------------------------------------------------------------------------------

    def run(self, drain: float) -> bool:
        """Serve until told to stop; then finish what is in flight for ``drain`` seconds at most.

        Returns whether everything in flight was answered. Another thread may call it when the one that did has left
        it by an exception of the dispatcher's ``after_poll``: it goes on from there.
        """
        while not self._stopping:
            self._turn(_POLL_SECONDS)
            self._enforce_limits()
        return self._drain(drain)

    def stop(self) -> None:
        """Stop accepting, and let :meth:`run` return once what is in flight is answered. Safe in a signal handler."""
        if not self._stopping:
            self._stopping = True
            with suppress(OSError):  # the loop has ended and its pipe is closed
                self._listeners[0].pull_trigger()

    def _turn(self, timeout: float) -> None:
        """Wait until something happens, for ``timeout`` seconds at most, and let it be handled."""
        wasyncore.loop(timeout=timeout, use_poll=True, map=self.sockets, count=1)
        self._after_poll()

    def _accept_waiting(self, accept: Callable[[], None]) -> None:
        for _ in range(_ACCEPT_BATCH):
            known = len(self.sockets)
            accept()
            if len(self.sockets) == known:
                return

    def _enforce_limits(self) -> None:
        """Cut what is beyond the limits: at once where there are too many connections, else twice a second."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + _POLL_SECONDS
            self.alive()
            connections = self.connections
            self._limits.cut_overdue(connections)
            CONNECTIONS.set(len(connections))
        if len(self.sockets) > self._limits.connections:  # the listeners are among them
            self._limits.make_room(self.connections)

    # -- draining ----------------------------------------------------------------------------------------------------

    def _drain(self, seconds: float) -> bool:
        if self._drain_until is None:
            self._drain_until = time.monotonic() + seconds
            self._stop_accepting()
        deadline = self._drain_until
        self._turn(0)  # what came before the stop has arrived, but may not be read yet
        while self._close_idle() and time.monotonic() < deadline:
            self._turn(_DRAIN_POLL_SECONDS)
            self.alive()
        unanswered = sum(channel.has_pending_response for channel in self.connections)
        self._give_back(self._listeners, timeout=max(0.0, deadline - time.monotonic()) + 1)
        return not unanswered

    def _stop_accepting(self) -> None:
        """Take in the connections that wait in the system's queue, whose callers cannot know better, but no more."""
        for listener in self._listeners:
            listener.draining = True
            known = -1
            while known != len(self.sockets):
                known = len(self.sockets)
                listener.handle_accept()
            listener.accepting = False
            wasyncore.dispatcher.close(listener)  # the listener's own close would take the trigger, still needed

    def _close_idle(self) -> int:
        """Close connections on which nothing is in flight; return how many are left."""
        now = time.monotonic()
        channels = self.connections
        idle = [each for each in channels if not _is_in_flight(each, now)]
        for channel in idle:
            channel.handle_close()
        return len(channels) - len(idle)

    def _give_back(self, listeners: list[Any], timeout: float) -> None:
        """End the threads, as far as they come to an end within ``timeout`` seconds, and close every socket."""
        for dispatcher in {listener.task_dispatcher for listener in listeners}:
            end_threads(dispatcher, timeout)
        wasyncore.close_all(self.sockets, ignore_all=True)

    def _find_listeners(self) -> list[Any]:
        return [each for each in self.sockets.values() if hasattr(each, "task_dispatcher")]


def end_threads(dispatcher: Any, timeout: float) -> None:  # noqa: ANN401 - waitress has no types
    """Have the request threads end, for ``timeout`` seconds at most. waitress would wait by the wall clock."""
    dispatcher.set_thread_count(0)
    deadline = time.monotonic() + timeout
    with dispatcher.lock:
        while dispatcher.threads and (left := deadline - time.monotonic()) > 0:
            dispatcher.thread_exit_cv.wait(left)
    dispatcher.shutdown(timeout=0)


def _is_in_flight(channel: Channel, now: float) -> bool:
    """Whether an answer is owed, or a request is arriving or may be about to."""
    silent = now - channel.active
    return channel.has_pending_response or silent < (SILENCE_SECONDS if channel.request else _NEXT_REQUEST_SECONDS)
