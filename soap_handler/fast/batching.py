"""Request batching: a waitress dispatcher that reads, commits and answers in the I/O loop what arrived together.

A burst costs one fsync for many requests and no thread switch for each; a lone request waits for no other. In return
the loop does the work of a request itself, so everything here must be quick: an unusual request goes to the threads.
A commit in the loop may meet a disk that stands still: then another thread takes over the loop (``loop_takeover``).

Without it and its readers a burst is taken at 0.30 of the rate with 8 connections, at 0.12 with 32 (``docs/fast``).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from waitress.task import ThreadedTaskDispatcher

from soap_handler import telemetry
from soap_handler.errors import JournalRefusedError, JournalUnavailableError
from soap_handler.faces.base import Request
from soap_handler.metrics.instruments import is_counting
from soap_handler.metrics.pushes import count_batch, count_refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from soap_handler.faces.base import Exchange, Face
    from soap_handler.fast.batching_channel import BatchingChannel
    from soap_handler.journal import Journal
    from soap_handler.notifications import Kind
    from soap_handler.web.client_address import Callers

_BATCH_BESIDE_COMMITS: Final = 16  # requests worth a commit that goes on in another thread while the loop reads more
_BATCH_INLINE: Final = 64  # requests worth a commit in the loop, during which nothing else goes on


@dataclass(slots=True)  # not frozen: that doubles what it costs to make one
class _Push:
    """The first request of a channel, ready for its commit, or refused."""

    channel: BatchingChannel
    face: Face
    exchange: Exchange
    arrived: float
    """When its last byte came, on the monotonic clock."""

    @property
    def api(self) -> str:
        """The version of the API, for the metrics."""
        return self.face.api

    @property
    def kind(self) -> Kind:
        """What is pushed, where there is something to commit."""
        assert self.exchange.entry is not None  # noqa: S101 - a refusal is never counted by its kind
        return self.exchange.entry.notification.kind

    def send_answer(self, error: BaseException | None) -> None:
        not_stored = self.exchange.not_stored or self.face.not_stored
        self.channel.send_answer(self.exchange.answer if error is None else not_stored(error))

    def refuse(self) -> None:
        """Answer a push with which there is nothing to commit."""
        if self.exchange.delay:
            self.channel.hold(self.exchange.delay)
        self.channel.send_answer(self.exchange.answer)
        self.channel.finish_request()


class LoopTakenOverError(Exception):
    """Another thread runs the loop: the present one must touch nothing of it any more."""


@dataclass(slots=True, eq=False)
class _Batch:
    """Pushes that share a commit."""

    pushes: list[_Push]
    deadline: float
    error: BaseException | None = None
    are_new: Sequence[bool] | None = None
    """Of each push, whether it was new, once they are committed."""
    answered: bool = False


class BatchingDispatcher(ThreadedTaskDispatcher):  # type: ignore[misc] # waitress has no types
    """waitress's task dispatcher, with a way of its own for usual pushes."""

    def __init__(
        self,
        journal: Journal,
        face_for: Callable[[str, str, bytes], Face | None],
        callers: Callers,
        *,
        max_body: int,
        threads: int,
        timeout: float,
    ) -> None:
        """``threads`` serve all but usual pushes; ``timeout`` (seconds) is how long a push waits for its commit."""
        super().__init__()
        self.set_thread_count(threads)
        self._journal = journal
        self._face_for = face_for
        self._callers = callers
        self._max_body = max_body
        self._timeout = timeout
        self._loop_thread = 0
        self._arrived: deque[BatchingChannel] = deque()
        self._ready: list[_Push] = []
        self._waiting: deque[_Batch] = deque()
        self._committed: deque[_Batch] = deque()
        self._alone: deque[_Push] = deque()  # to be committed each by itself: one of them spoilt a batch
        self._committing = 0  # batches with the journal, answered or not
        # Since when the loop is inside the journal; empty while it is not. The loop's thread takes the number out when
        # it comes back, a thread that takes the loop over takes it out before: one of both finds it gone.
        self._inside: list[float] = []

    def add_task(self, task: Any) -> None:  # noqa: ANN401 - waitress's signature
        """Take on the first request of a channel."""
        self._arrived.append(task)
        self._wake_loop(task)

    def take_over(self, seconds: float) -> bool:
        """Take the loop from a thread that has been inside the journal for so long; return whether it was taken.

        Any thread may call it, and must then run the loop. The other one gets a :class:`LoopTakenOverError`.
        """
        inside = self._inside
        with suppress(IndexError):  # the loop is not inside the journal, or came back just now
            if time.monotonic() - inside[0] >= seconds:
                inside.pop()
                return True
        return False

    def after_poll(self) -> None:
        """Answer what is committed, then take in what one poll of the loop has brought, and have it committed.

        Raises:
            LoopTakenOverError: another thread runs the loop now.
        """
        self._loop_thread = threading.get_ident()
        self._answer_committed()
        self._give_up_late()
        while self._arrived:
            while self._arrived:
                self._take_in()
            self._commit_ready()  # at once, perhaps; the answers bring pipelined requests forward

    # -- taking in ---------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Read what has arrived, as many as are worth a commit: the disk need not wait until all are read."""
        enough = _BATCH_INLINE if self._journal.commits_inline else _BATCH_BESIDE_COMMITS
        several = min(len(self._arrived), enough - len(self._ready) % enough)
        channels = [self._arrived.popleft() for _ in range(several)]
        for channel, push in zip(channels, self._read(channels), strict=True):
            if push is None:
                super().add_task(channel)
            elif push.exchange.entry is None:
                count_refused(push.face.api, push.exchange.result)
                _guarded(channel, push.refuse)
            else:
                self._ready.append(push)
        if len(self._ready) >= enough and not self._committing:
            self._commit_ready()

    def _read(self, channels: Sequence[BatchingChannel]) -> list[_Push | None]:
        """Prepare the requests that may be usual, each by its face; ``None`` for those that take the general way."""
        pushes: list[_Push | None] = [None] * len(channels)
        by_face: dict[Face, list[tuple[int, Request]]] = {}
        for number, channel in enumerate(channels):
            request = channel.requests[0]
            usual = None if request.error else self._usual(request, str(channel.addr[0]))
            face = usual and self._face_for(request.path, usual.content_type, usual.body)
            if usual and face:
                by_face.setdefault(face, []).append((number, usual))
        for face, numbered in by_face.items():
            for (number, _), exchange in zip(numbered, _read(face, [each for _, each in numbered]), strict=True):
                pushes[number] = (
                    None if exchange is None else _Push(channels[number], face, exchange, channels[number].active)
                )
        return pushes

    def _usual(self, request: Any, peer: str) -> Request | None:  # noqa: ANN401 - waitress has no types
        """Return what may be a usual push; ``None`` for one that HTTP refuses, that is packed, or that is no push."""
        headers = request.headers
        if request.command != "POST" or "CONTENT_ENCODING" in headers:
            return None
        environ = {"REMOTE_ADDR": peer}
        if "X_FORWARDED_FOR" in headers:
            environ["HTTP_X_FORWARDED_FOR"] = headers["X_FORWARDED_FOR"]
        caller = self._callers.address(environ)
        stream = request.get_body_stream()
        body = stream.read()
        stream.seek(0)
        if len(body) > self._max_body or not self._callers.allows(caller):
            return None
        content_type, authorization = headers.get("CONTENT_TYPE", ""), headers.get("AUTHORIZATION", "")
        trace = headers.get("TRACEPARENT", "")
        return Request(body, caller, content_type, request.path, authorization, traceparent=trace)

    # -- committing --------------------------------------------------------------------------------------------------

    def _commit_ready(self) -> None:
        """Hand what was taken in to the journal, which commits it here and now, or in a thread of its own."""
        if self._ready:
            ready, self._ready = self._ready, []
            self._commit(ready)
            self._answer_committed()

    def _commit(self, pushes: list[_Push]) -> None:
        now = time.monotonic()
        batch = _Batch(pushes, now + self._timeout)
        self._waiting.append(batch)
        self._committing += 1
        entries = [push.exchange.entry for push in pushes if push.exchange.entry is not None]
        self._inside = inside = [now]
        commit = self._journal.submit_all(entries)
        commit.add_done_callback(partial(self._note_committed, batch))
        try:
            inside.pop()
        except IndexError:
            raise LoopTakenOverError from None

    def _note_committed(self, batch: _Batch, commit: Future[list[bool]]) -> None:
        """Note the end of a commit; runs in the journal's thread, or in the loop's."""
        try:
            batch.are_new = commit.result()
        except Exception as error:  # noqa: BLE001 - the callers are told, whatever it is
            batch.error = error
        self._committed.append(batch)
        self._wake_loop(batch.pushes[0].channel)

    def _wake_loop(self, channel: BatchingChannel) -> None:
        """Interrupt the loop's poll, unless it is the loop that calls."""
        if threading.get_ident() != self._loop_thread:
            with suppress(OSError):  # the loop has ended and its pipe is closed
                channel.server.pull_trigger()

    # -- answering ---------------------------------------------------------------------------------------------------

    def _answer_committed(self) -> None:
        while self._committed or self._alone:
            if self._committed:
                self._committing -= 1
                self._answer(self._committed.popleft())
            else:
                self._commit([self._alone.popleft()])

    def _answer(self, batch: _Batch) -> None:
        if batch.answered:
            return  # too late: they were told to come again, and will be recognised as duplicates
        batch.answered = True
        if isinstance(batch.error, JournalRefusedError) and len(batch.pushes) > 1:
            self._alone.extend(batch.pushes)  # one of them is at fault; it must not spoil the others
            return
        for push in batch.pushes:
            _guarded(push.channel, partial(push.send_answer, batch.error))
        for push in batch.pushes:  # only then: the callers read meanwhile
            _guarded(push.channel, push.channel.finish_request)
        if is_counting():
            count_batch(batch.pushes, batch.are_new)

    def _give_up_late(self) -> None:
        """Answer those whose commit takes too long by a fault."""
        while self._waiting and (self._waiting[0].answered or self._waiting[0].deadline < time.monotonic()):
            batch = self._waiting.popleft()
            if not batch.answered:
                batch.error = JournalUnavailableError(f"the journal did not commit within {self._timeout:g} s")
                self._answer(batch)


def _read(face: Face, requests: Sequence[Request]) -> list[Exchange | None]:
    """Have a face read requests together; where it breaks over one of them, that one takes the general way."""
    if face.read_many is None:
        return [None] * len(requests)
    try:
        return face.read_many(requests)
    except Exception as error:  # noqa: BLE001 - a defect must not end the loop; the general way has its own wall
        if len(requests) > 1:
            return [exchange for request in requests for exchange in _read(face, [request])]
        telemetry.emit("intake_failed", error=type(error).__name__)
        return [None]


def _guarded(channel: BatchingChannel, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - one connection's trouble must not end the loop of all
        telemetry.emit("reply_failed", error=type(error).__name__)
        channel.handle_close()
