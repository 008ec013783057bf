"""The console's listener: a waitress of its own, in a thread of its own, that shares nothing with the public one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from waitress import create_server, wasyncore
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from soap_handler import telemetry
from soap_handler.background import Background
from soap_handler.errors import ConsoleAddressError
from soap_handler.server import forked_child
from soap_handler.server.channel import Channel
from soap_handler.server.connection_limits import Limits
from soap_handler.server.supervisor import listen
from soap_handler.settings import ServerSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from soap_handler.settings import ConsoleSettings

_THREADS: Final = 4  # for pages, files and metrics
_PROBE_THREADS: Final[Mapping[str, int]] = {"/health/live": 1, "/health/ready": 2}
_CONNECTIONS: Final = 100
"""At once. A further one takes the place of the longest idle one."""
_UNLIMITED: Final = 1_000_000  # to waitress, which would not accept: a probe must get through
_REQUEST_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 60.0
_BODY_BYTES: Final = 262_144  # a form of a thousand numbers
_HEADERS: Final = 100
_POLL_SECONDS: Final = 0.5
_END_SECONDS: Final = 1.0


def listen_for_console(settings: ConsoleSettings | None) -> list[socket.socket]:
    """Listen at the console's address; return no socket where there is no console.

    Raises:
        ConsoleAddressError: the address cannot be listened on.
    """
    if settings is None:
        return []
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        reason = error.strerror or error
        raise ConsoleAddressError(f"the console cannot listen on {place} ({reason}); set console.port") from error


class _Channel(Channel):
    """A connection like those of pushes: what two servers may read in two ways could name a user in a proxy's place."""

    task_class = WSGITask
    error_task_class = ErrorTask


class _Lanes(ThreadedTaskDispatcher):  # type: ignore[misc] # waitress has no types
    """A bulkhead: each probe has threads of its own, which no slow page, file or other probe takes up.

    A service whose probe is not answered is restarted, or gets no pushes: neither may be the work of who looks at it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.set_thread_count(_THREADS)
        self._probes = {path: ThreadedTaskDispatcher() for path in _PROBE_THREADS}
        for path, lane in self._probes.items():
            lane.set_thread_count(_PROBE_THREADS[path])

    def add_task(self, task: Any) -> None:  # noqa: ANN401 - waitress's signature
        """Queue the first request of a channel in its lane."""
        lane = self._probes.get(getattr(task.requests[0], "path", "") if task.requests else "")
        if lane is None:
            super().add_task(task)
        else:
            lane.add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:  # noqa: FBT001, FBT002 - waitress's signature
        """End the threads of all lanes."""
        for lane in self._probes.values():
            lane.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))


class ConsoleListener(Background):
    """Serves the console from :meth:`start` to :meth:`stop`. It may hang or break: no push waits for it."""

    def __init__(self, application: Callable[..., Any], sockets: Sequence[socket.socket]) -> None:
        """``sockets`` listen already; they are closed at the end."""
        super().__init__("console")
        self.application = application
        """What is served."""
        self.sockets: dict[int, Any] = {}
        """waitress's map of what its loop waits for, by file number."""
        self._server = create_server(
            application,
            map=self.sockets,
            sockets=list(sockets),
            _dispatcher=_Lanes(),
            connection_limit=_UNLIMITED,
            ident=None,
            expose_tracebacks=False,
            max_request_body_size=_BODY_BYTES,
            inbuf_overflow=_BODY_BYTES + 2,  # as ``Parser`` asks for: no body lies in a file
            clear_untrusted_proxy_headers=False,  # the console reads them itself: who came through a proxy is not local
        )
        for listener in self._listeners():
            listener.channel_class = _Channel
            listener.draining = False
            listener.adj.max_headers = _HEADERS
        self._limits = Limits(
            ServerSettings(request_timeout=_REQUEST_SECONDS, idle_timeout=_IDLE_SECONDS), _CONNECTIONS
        )
        forked_child.close_in_children(self)
        self.port = int(sockets[0].getsockname()[1])
        """The port that is listened on."""

    def run(self) -> None:
        """Serve until told to stop."""
        telemetry.emit("console_serving", port=self.port)
        while not self.stopping.is_set():
            wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self.sockets, count=1)
            connections = [each for each in list(self.sockets.values()) if isinstance(each, Channel)]
            self._limits.cut_overdue(connections)
            self._limits.make_room(connections)
        for dispatcher in {each.task_dispatcher for each in self._listeners()}:
            dispatcher.shutdown(timeout=_END_SECONDS)
        wasyncore.close_all(self.sockets, ignore_all=True)

    def wake(self) -> None:
        """Interrupt the loop's poll."""
        for listener in self._listeners():
            with suppress(OSError):  # the loop has ended and its pipe is closed
                listener.pull_trigger()

    def _listeners(self) -> list[Any]:
        return [each for each in list(self.sockets.values()) if hasattr(each, "task_dispatcher")]
