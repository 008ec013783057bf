"""waitress around the WSGI application: accepting, draining, and answers in SOAP to what it refuses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from soap_handler.soap.endpoint import CONTENT_TYPE, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler.settings import ServerSettings

_TICK: Final = 0.5  # seconds: how late a stop may be noticed when nothing else happens


class _SoapErrorTask(ErrorTask):
    """Answers what waitress itself refuses (too large, malformed) by a fault, which is what a SOAP caller can read."""

    def execute(self) -> None:
        answer = refusal(f"The HTTP request was refused: {self.request.error.reason}")
        self.status = answer.status
        self.response_headers.append(("Content-Type", CONTENT_TYPE))
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class _Channel(HTTPChannel):
    error_task_class = _SoapErrorTask


class Server:
    """A waitress server that can be told to stop without losing an answer. It listens as soon as it exists."""

    def __init__(self, application: Callable[..., Any], settings: ServerSettings) -> None:
        """Listen. Port 0 takes a free one.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._sockets: dict[int, Any] = {}
        self._stopping = False
        self._server = create_server(
            application,
            map=self._sockets,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            ident=None,  # we don't tell what we are made of
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=True,
            # Somewhat more than the application takes: it can answer what is a little too large without cutting off
            # the caller in the middle of sending, who would then never read why.
            max_request_body_size=4 * settings.max_body,
        )
        for listener in self._listeners():
            listener.channel_class = _Channel

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listeners()[0].effective_port)

    def run(self, drain: float) -> bool:
        """Serve until told to stop; then finish what is in flight for ``drain`` seconds at most.

        Returns whether everything in flight was answered.
        """
        while not self._stopping:
            wasyncore.loop(timeout=_TICK, use_poll=True, map=self._sockets, count=1)
        return self._drain(drain)

    def stop(self) -> None:
        """Stop accepting, and let :meth:`run` return once what is in flight is answered. Safe in a signal handler."""
        self._stopping = True
        self._server_trigger()

    def _server_trigger(self) -> None:
        self._listeners()[0].pull_trigger()

    def _listeners(self) -> list[Any]:
        return [each for each in list(self._sockets.values()) if hasattr(each, "active_channels")]

    def _channels(self) -> list[HTTPChannel]:
        return [each for each in list(self._sockets.values()) if isinstance(each, HTTPChannel)]

    def _drain(self, seconds: float) -> bool:
        dispatcher = self._server.task_dispatcher
        for listener in self._listeners():
            listener.accepting = False
            wasyncore.dispatcher.close(listener)
        deadline = time.monotonic() + seconds
        while (busy := self._close_idle()) and time.monotonic() < deadline:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._sockets, count=1)
        dispatcher.shutdown(timeout=max(0.0, deadline - time.monotonic()) + 1)
        wasyncore.close_all(self._sockets, ignore_all=True)
        return not busy

    def _close_idle(self) -> int:
        """Close connections on which nothing is in flight; return how many are left."""
        channels = self._channels()
        idle = [each for each in channels if not (each.requests or each.request or each.total_outbufs_len)]
        for channel in idle:
            channel.handle_close()
        return len(channels) - len(idle)
