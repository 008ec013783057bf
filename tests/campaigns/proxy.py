"""A TCP proxy between EMS and the services, which cuts connections to order. It knows nothing of HTTP or SOAP."""

from __future__ import annotations

import contextlib
import itertools
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


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection is cut: after so many bytes in one direction. It ends in a reset, or in an orderly close."""

    where: str
    of_request: int | None
    of_reply: int | None
    reset: bool


class Proxy:
    """Listens on a free port and hands each connection to the next upstream that takes it."""

    def __init__(self, upstreams: Sequence[int], *, share: float = 0.0, seed: int = 0) -> None:
        """``share`` of the connections is cut somewhere."""
        self._upstreams = itertools.cycle(upstreams)
        self._count = len(upstreams)
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
        with caller:
            if cut is not None and cut.of_request == 0:
                self._end(caller, cut)
                return
            service = self._connect()
            if service is not None:
                with service:
                    self._pass_on(caller, service, cut)

    def _draw(self) -> Cut | None:
        with self._lock:
            if self._rng.random() >= self.share:
                return None
            reset = self._rng.random() < 0.5
            where = self._rng.choice(["before", "in the request", "after the request", "in the reply", "after the reply"])
            amount = self._rng.randrange(1, 1100)
        match where:
            case "before":
                return Cut(where, 0, None, reset)
            case "in the request":
                return Cut(where, amount, None, reset)
            case "after the request":
                return Cut(where, None, 0, reset)
            case "in the reply":
                return Cut(where, None, 1 + amount % 400, reset)
        return Cut(where, None, _PIECE, reset)

    def _connect(self) -> socket.socket | None:
        for _ in range(self._count):
            with self._lock:
                port = next(self._upstreams)
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), 2)
        return None

    def _pass_on(self, caller: socket.socket, service: socket.socket, cut: Cut | None) -> None:
        left = {caller: cut.of_request if cut else None, service: cut.of_reply if cut else None}
        while not self._stopping.is_set():
            for source in select.select([caller, service], [], [], _TICK)[0]:
                target = service if source is caller else caller
                if not self._piece(source, target, left, cut):
                    if cut is not None:
                        self._end(caller, cut)
                    return

    def _piece(
        self, source: socket.socket, target: socket.socket, left: dict[socket.socket, int | None], cut: Cut | None
    ) -> bool:
        """Pass on what has come; return whether the connection is to go on."""
        try:
            data = source.recv(_PIECE)
            limit = left[source]
            if limit is not None:
                data, left[source] = data[:limit], limit - len(data)
            if not data:
                return False
            target.sendall(data)
        except OSError:
            return False
        after_reply = cut is not None and cut.of_reply == _PIECE and target is not source and left[source] is not None
        rest = left[source]
        return not after_reply and (rest is None or rest > 0)

    def _end(self, caller: socket.socket, cut: Cut) -> None:
        with self._lock:
            self.cuts[cut.where] += 1
        if cut.reset:
            with contextlib.suppress(OSError):
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
