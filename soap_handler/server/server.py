"""waitress around the WSGI application: listening, stopping, draining. What a connection does is ``connection``'s."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from waitress import create_server, wasyncore

from soap_handler.fast.event_loop import Poller, Sockets
from soap_handler.server import open_files
from soap_handler.server.channel import Channel
from soap_handler.server.connection_limits import Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from soap_handler.fast.batching import Intake
    from soap_handler.fast.scoreboard import Place
    from soap_handler.settings import ServerSettings

_ROUNDS: Final = 16  # polls at most before what they brought is committed
_TICK: Final = 0.5  # seconds: how late a stop may be noticed when nothing else happens
_GRACE: Final = 0.1  # seconds: a request may be on its way on a connection that was busy so lately
_PATIENCE: Final = 2.0  # seconds without a byte after which nobody waits for the rest of a request any more
_DISCARDED: Final = 64 * 1024 * 1024  # bytes: a longer body is not read to its end, so its sender may miss our answer


class Server:
    """A waitress server that can be told to stop without losing an answer. It listens as soon as it exists.

    Whoever builds it calls :meth:`run`, which gives everything back when it ends (at once after :meth:`stop`).
    """

    def __init__(
        self,
        application: Callable[..., Any],
        settings: ServerSettings,
        intake: Intake | None = None,
        sockets: Sequence[socket.socket] = (),
        place: Place | None = None,
    ) -> None:
        """Listen. Port 0 takes a free one. What the intake does not take, the application serves in a thread.

        ``sockets`` are to be listened on in place of the settings' address; they may be shared with other processes,
        among which this one has its ``place``.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._sockets = Sockets()
        self._place = place
        self._poller = Poller(self._sockets, self._may_accept, self._is_idle)
        self._limits = Limits(settings, open_files.make_room(settings.connections))
        self._intake = intake
        if intake is not None:
            intake.wake = self._wake
        self._look_again = 0.0
        self._stopping = False
        try:
            self._create(application, settings, sockets)
        except OSError:
            self._give_back(self._listening(), timeout=1)  # waitress leaves its threads running
            raise
        self._listeners = self._listening()
        for listener in self._listeners:
            listener.channel_class = Channel
            listener.draining = False
            listener.adj.max_headers = settings.max_headers
        self.port = int(self._listeners[0].effective_port)
        """The port that is listened on."""

    def _create(
        self, application: Callable[..., Any], settings: ServerSettings, sockets: Sequence[socket.socket]
    ) -> None:
        place = {"sockets": list(sockets)} if sockets else {"host": settings.host, "port": settings.port}
        create_server(
            application,
            map=self._sockets,
            **place,
            server_name=settings.host,  # for callers that name none; waitress would invent one
            _dispatcher=self._intake,  # without one, waitress makes its own, with threads
            threads=settings.threads,
            ident=None,  # we don't tell what we are made of
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=False,  # the guard knows whom to believe
            max_request_header_size=settings.max_header_size,
            connection_limit=2**30,  # the limits see to that, who can tell the idle from the busy
            channel_timeout=2**30,  # and to that
            cleanup_interval=2**30,
            inbuf_overflow=settings.max_body + 2,  # as the parser wants it; so no body ever becomes a file either
            max_request_body_size=max(_DISCARDED, 4 * settings.max_body),
        )

    def run(self, drain: float) -> bool:
        """Serve until told to stop; then finish what is in flight for ``drain`` seconds at most.

        Returns whether everything in flight was answered.
        """
        self._note_connections()
        with self._attended():
            while not self._stopping:
                self._turn(_TICK)
                self._tend()
            return self._drain(drain)

    @contextmanager
    def _attended(self) -> Iterator[None]:
        if self._intake is None or not self._poller.can_watch:
            yield
            return
        self._intake.attend(self._sockets)
        try:
            yield
        finally:
            self._intake.attend(None)

    def stop(self) -> None:
        """Stop accepting, and let :meth:`run` return once what is in flight is answered. Safe in a signal handler."""
        if not self._stopping:
            self._stopping = True
            self._wake()

    def _wake(self) -> None:
        with suppress(OSError):  # another thread may call when the loop has ended and its pipe is closed
            self._listeners[0].pull_trigger()

    def _tend(self) -> None:
        """Cut what is beyond the limits: at once where there are too many connections, else twice a second."""
        self._note_connections()
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + _TICK
            self._limits.cut_overdue(self._channels())
        if len(self._sockets) > self._limits.connections:  # those that listen are among them
            self._limits.make_room(self._channels())

    def _is_idle(self) -> bool:
        return self._intake is not None and self._intake.idle

    def _may_accept(self) -> bool:
        self._note_connections()
        return self._place is None or self._place.is_next

    def _note_connections(self) -> None:
        if self._place is not None:
            self._place.note_connections(self._open)

    @property
    def _open(self) -> int:
        """How many connections there are; a listener has two sockets."""
        return len(self._sockets) - 2 * len(self._listeners)

    def _turn(self, timeout: float) -> None:
        self._poller.turn(timeout)
        if self._intake is None:
            return
        rounds = _ROUNDS
        while self._intake.turn() and self._others_may_call(self._intake.ready) and (rounds := rounds - 1):
            self._poller.turn(0)
        self._intake.commit()

    def _others_may_call(self, ready: int) -> bool:
        """Whether there are more connections than requests that wait for their commit."""
        return self._open > ready

    def _drain(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        self._stop_accepting()
        self._turn(0)  # what came before the stop has arrived, but may not be read yet
        while self._close_idle() and time.monotonic() < deadline:
            self._turn(0.02)
        owed = sum(channel.owes for channel in self._channels())
        self._give_back(self._listeners, timeout=max(0.0, deadline - time.monotonic()) + 1)
        return not owed

    def _listening(self) -> list[Any]:
        return [each for each in self._sockets.values() if hasattr(each, "task_dispatcher")]

    def _give_back(self, listeners: list[Any], timeout: float) -> None:
        """End the threads, as far as they come to an end within ``timeout`` seconds, and close every socket."""
        for dispatcher in {listener.task_dispatcher for listener in listeners}:
            dispatcher.shutdown(timeout=timeout)
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _stop_accepting(self) -> None:
        """Take in the connections that wait in the system's queue, whose callers cannot know better, but no more."""
        if self._place is not None:
            self._place.leave()
        for listener in self._listeners:
            listener.draining = True
            known = -1
            while known != len(self._sockets):
                known = len(self._sockets)
                listener.handle_accept()
            listener.accepting = False
            wasyncore.dispatcher.close(listener)  # the listener's own close would take the trigger, still needed

    def _channels(self) -> list[Channel]:
        return [each for each in list(self._sockets.values()) if isinstance(each, Channel)]

    def _close_idle(self) -> int:
        """Close connections on which nothing is in flight; return how many are left."""
        now = time.time()  # the clock of ``last_activity``
        channels = self._channels()
        idle = [each for each in channels if not _in_flight(each, now)]
        for channel in idle:
            channel.handle_close()
        return len(channels) - len(idle)


def _in_flight(channel: Channel, now: float) -> bool:
    """Whether an answer is owed, or a request is arriving."""
    return channel.owes or now - channel.last_activity < (_PATIENCE if channel.request else _GRACE)
