"""The path of a usual push through the server: many requests, one commit, many answers. The rest goes to threads.

The I/O loop reads requests as they arrive, then checks and keys what came together and hands it to the journal as one
batch. When the commit is done, it answers them all. So a burst costs one fsync for many requests and no thread switch
for each; a lone request waits for nobody. Where the disk is slow or somebody else writes, the loop goes on reading.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from waitress.task import ThreadedTaskDispatcher

from soap_handler import telemetry
from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.fast.committers import pipeline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from soap_handler.faces.soap.endpoint import Exchange
    from soap_handler.fast.usual_reader import Read
    from soap_handler.journal import Journal
    from soap_handler.server.channel import Channel
    from soap_handler.web.application import Application

S = TypeVar("S")
T = TypeVar("T")

_ENOUGH: Final = 16  # requests that are worth a commit of their own, where it goes on while the loop reads others
_MANY: Final = 64  # likewise, where the loop itself commits, and nothing else goes on meanwhile


@dataclass(slots=True, eq=False)
class _Batch:
    """Requests that share a commit."""

    exchanges: list[tuple[Channel, Exchange]]
    deadline: float
    error: BaseException | None = None
    answered: bool = False


class Intake(ThreadedTaskDispatcher):  # type: ignore[misc] # waitress has no types
    """waitress's task dispatcher, with a way of its own for pushes.

    The loop calls :meth:`turn` after each poll, and :meth:`commit` when a poll brought nothing more.
    """

    def __init__(self, application: Application, journal: Journal, *, threads: int, timeout: float) -> None:
        """``threads`` serve what is not a push; ``timeout`` (seconds) is how long a push waits for its commit."""
        super().__init__()
        self.set_thread_count(threads)
        self._application = application
        self._journal = journal
        self._timeout = timeout
        self._arrived: deque[Channel] = deque()
        self._committed: deque[_Batch] = deque()
        self._waiting: deque[_Batch] = deque()
        self._ready: list[tuple[Channel, Read]] = []
        self._committing = 0  # batches with the journal, answered or not
        self._loop = 0
        self.wake: Callable[[], None] = lambda: None
        """How another thread gets the loop to take a turn; whoever owns the loop sets it."""

    def attend(self, sockets: dict[int, Any] | None) -> None:
        """Begin to serve a loop, whose thread calls; ``sockets`` is the map that it waits for. ``None`` ends that."""
        pipeline = pipeline_of(self._journal)
        if pipeline is not None:
            pipeline.detach() if sockets is None else pipeline.attach(sockets)

    def add_task(self, task: Any) -> None:  # noqa: ANN401 - waitress's signature
        """Take on the first request of a channel."""
        self._arrived.append(task)
        if threading.get_ident() != self._loop:
            self.wake()

    def turn(self) -> bool:
        """Answer what is committed and take in what has arrived; return whether anything had.

        If so, more may have arrived meanwhile: the loop looks again before it has all of it committed.
        """
        self._loop = threading.get_ident()
        self._answer_committed()
        arrived = bool(self._arrived)
        while self._arrived:  # an answer may have brought a pipelined request forward
            self._take_in()
        self._give_up()
        return arrived

    def commit(self) -> None:
        """Check what was taken in, and hand it to the journal, which answers at once or by :attr:`wake`."""
        if self._ready:
            ready, self._ready = self._ready, []
            checked = _all_in_one(self._application.check_usual, [read for _, read in ready])
            self._commit(self._usual([channel for channel, _ in ready], checked))
            self._answer_committed()

    @property
    def ready(self) -> int:
        """How many requests have been taken in and not been handed to the journal."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do before somebody calls, neither here nor for a database's server."""
        return self._journal.commits_inline and not (self._committing or self._ready or self._arrived)

    def _answer_committed(self) -> None:
        while self._committed:
            self._committing -= 1
            self._answer(self._committed.popleft())

    def _take_in(self) -> None:
        """Take in what has arrived, as many as are worth a commit: the disk need not wait until all are read."""
        enough = _MANY if self._journal.commits_inline else _ENOUGH
        some = min(len(self._arrived), enough - len(self._ready) % enough)
        channels = [self._arrived.popleft() for _ in range(some)]
        requests = [(channel.requests[0], str(channel.addr[0])) for channel in channels]
        self._ready += self._usual(channels, _all_in_one(self._application.read_usual, requests))
        if len(self._ready) >= enough and not self._committing:
            self.commit()

    def _usual(self, channels: Sequence[Channel], results: Sequence[T | None]) -> list[tuple[Channel, T]]:
        """Return those whose request is usual so far; the others' takes the general way."""
        usual = []
        for channel, result in zip(channels, results, strict=True):
            if result is None:
                super().add_task(channel)
            else:
                usual.append((channel, result))
        return usual

    def _commit(self, exchanges: list[tuple[Channel, Exchange]]) -> None:
        if not exchanges:
            return
        batch = _Batch(exchanges, time.monotonic() + self._timeout)
        self._waiting.append(batch)
        self._committing += 1
        entries = [exchange.entry for _, exchange in exchanges if exchange.entry is not None]
        self._journal.submit_all(entries).add_done_callback(lambda commit: self._done(batch, commit))

    def _done(self, batch: _Batch, commit: Future[list[bool]]) -> None:
        """Note the end of a commit; runs in the journal's thread, or in the loop's."""
        batch.error = commit.exception()
        self._committed.append(batch)
        if threading.get_ident() != self._loop:
            self.wake()

    def _answer(self, batch: _Batch) -> None:
        if batch.answered:
            return  # too late: they were told to come again, and will be recognised as duplicates
        batch.answered = True
        if isinstance(batch.error, JournalRefusedError) and len(batch.exchanges) > 1:
            for one in batch.exchanges:  # one of them is at fault; it must not spoil the others
                self._commit([one])
            return
        for channel, exchange in batch.exchanges:
            answer = exchange.answer if batch.error is None else self._application.not_stored(batch.error)
            _guarded(channel, partial(channel.answer, answer))
        for channel, _ in batch.exchanges:  # when all have their answer
            _guarded(channel, channel.go_on)

    def _give_up(self) -> None:
        """Answer those whose commit takes too long by a fault."""
        while self._waiting and (self._waiting[0].answered or self._waiting[0].deadline < time.monotonic()):
            batch = self._waiting.popleft()
            if not batch.answered:
                batch.error = JournalUnavailableError(f"the journal did not commit within {self._timeout:g} s")
                self._answer(batch)


def _all_in_one(step: Callable[[Sequence[S]], list[T | None]], requests: Sequence[S]) -> list[T | None]:
    """Take a step for all of these at once; ``None`` for what takes the general way, or has something break over it."""
    try:
        return step(requests)
    except Exception as error:  # noqa: BLE001 - a defect must not end the loop; the general way has its own wall
        if len(requests) > 1:
            return [result for request in requests for result in _all_in_one(step, [request])]
        telemetry.emit("intake_failed", error=type(error).__name__)
        return [None]


def _guarded(channel: Channel, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - one connection's trouble must not end the loop of all
        telemetry.emit("reply_failed", error=type(error).__name__)
        channel.handle_close()
