"""A waitress server in a thread of its own, started and stopped cleanly. It serves any WSGI application."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import waitress
from waitress import wasyncore

if TYPE_CHECKING:
    from collections.abc import Callable


class Listener:
    """Server of a WSGI application on 127.0.0.1, from :meth:`start` to :meth:`stop`.

    ``port`` 0 takes a free port. It is known as soon as the object exists, because the socket listens from then on.
    """

    def __init__(self, app: Callable[..., Any], *, port: int = 0, threads: int = 4) -> None:
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(
            app,
            map=self._sockets,
            host="127.0.0.1",
            port=port,
            threads=threads,
            channel_request_lookahead=1,  # lets an application notice that the caller hung up
            clear_untrusted_proxy_headers=True,
        )
        self.port = int(self._server.effective_port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"ems-listener-{self.port}", daemon=True)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.active_channels)

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and end every thread; answers in flight are lost. A second call does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.is_alive():
            self._server.pull_trigger()
            self._thread.join()
        self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._sockets, count=1)

    def _close(self) -> None:
        """Close the sockets, which must not be polled any more. The trigger is last, since ending tasks pull it."""
        self._server.task_dispatcher.shutdown()
        self._server.close()
        wasyncore.close_all(self._sockets)
