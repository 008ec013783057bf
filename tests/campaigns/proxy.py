"""A TCP proxy between EMS and the services, which cuts connections to order. It knows nothing of HTTP or SOAP."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICK: Final = 0.2  # seconds: how late a stop may be noticed
_PIECE: Final = 65536
_EXCHANGES: Final = 5
WHERE: Final = ("before", "in the request", "after the request", "in the reply", "after the reply")


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection is cut: in which of its exchanges, and after how many bytes of one side of it."""

    where: str
    exchange: int
    of_request: int | None
    of_reply: int | None
    reset: bool
    """Whether it ends in a reset, or in an orderly close."""


@dataclass(slots=True)
class Progress:
    """How far a connection has come. Nobody sends a request before the reply to the last one is there."""

    exchange: int = -1
    replying: bool = True
    count: int = 0
    """Bytes of the present request, or of the present reply."""

    def turn(self, *, replying: bool) -> None:
        """Take note of who sends."""
        if replying != self.replying:
            self.replying, self.count = replying, 0
            self.exchange += not replying

    def left(self, cut: Cut | None) -> int | None:
        """Return after how many bytes of what is being sent the connection is cut; ``None``: not there."""
        if cut is None or cut.exchange != self.exchange:
            return None
        limit = cut.of_reply if self.replying else cut.of_request
        return None if limit is None else max(0, limit - self.count)


class Proxy:
    """Listens on a free port and hands each connection to the next upstream that takes it."""

    def __init__(self, upstreams: Sequence[int], *, share: float = 0.0, seed: int = 0) -> None:
        """``share`` of the connections is cut somewhere in one of their first exchanges."""
        self.upstreams = list(upstreams)
        self._rng = random.Random(seed)  # noqa: S311 - a plan must be repeatable, not unpredictable
        self.share = share
        self.cuts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.settimeout(_TICK)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _begin(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type] # what is given is called
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                caller, _ = self._listener.accept()
                self._begin(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        cut = self._draw()
        service = self._connect()
        with caller:
            if service is not None:
                with service:
                    self._pass_on(caller, service, cut)

    def _draw(self) -> Cut | None:
        with self._lock:
            if self._rng.random() >= self.share:
                return None
            reset = self._rng.random() < 0.5
            where = self._rng.choice(WHERE)
            amount, exchange = self._rng.randrange(1, 1000), self._rng.randrange(_EXCHANGES)
        of_request = {"before": 0, "in the request": amount}.get(where)
        of_reply = {"after the request": 0, "in the reply": 1 + amount % 300, "after the reply": _PIECE}.get(where)
        return Cut(where, exchange, of_request, of_reply, reset)

    def _connect(self) -> socket.socket | None:
        for _ in self.upstreams:
            with self._lock:
                port = self.upstreams[0]
                self.upstreams = [*self.upstreams[1:], port]
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), 2)
        return None

    def _pass_on(self, caller: socket.socket, service: socket.socket, cut: Cut | None) -> None:
        progress = Progress()
        while not self._stopping.is_set():
            for source in select.select([caller, service], [], [], _TICK)[0]:
                target = service if source is caller else caller
                progress.turn(replying=source is service)
                if not self._piece(source, target, progress, cut):
                    return
                if cut is not None and progress.left(cut) is not None and _at_its_end(progress, cut):
                    self._end(caller, cut)
                    return

    @staticmethod
    def _piece(source: socket.socket, target: socket.socket, progress: Progress, cut: Cut | None) -> bool:
        """Pass on what has come, as far as the cut; return whether the connection lives."""
        try:
            data = source.recv(_PIECE)
            if not data:
                return False
            target.sendall(data[: progress.left(cut)])
        except OSError:
            return False
        progress.count += len(data)
        return True

    def _end(self, caller: socket.socket, cut: Cut) -> None:
        with self._lock:
            self.cuts[cut.where] += 1
        if cut.reset:
            with contextlib.suppress(OSError):
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _at_its_end(progress: Progress, cut: Cut) -> bool:
    """Whether this is the place; a whole reply comes in one piece, being small."""
    return progress.left(cut) == 0 or (cut.of_reply == _PIECE and progress.replying)
