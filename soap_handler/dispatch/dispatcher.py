"""From the journal to the customer's code: claim, handle, settle. Deleting from the inbox is ``deletion``'s.

One thread claims, several handle. A claim is a lease that outlasts ``handler.timeout``, so that a notification whose
process was killed comes back by itself. No more is claimed than the threads can begin in a moment: with slow handlers
that is what idle threads there are, with quick ones a few dozen for each.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.dispatch.results import Settling
from soap_handler.errors import JournalUnavailableError, TransactionError
from soap_handler.fast.load_shedding import Pace
from soap_handler.fast.scoreboard import Board, Place
from soap_handler.journal import Settlement, State, Step
from soap_handler.notifications import Kind
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.journal import Claim, Journal, Transaction
    from soap_handler.settings import HandlerSettings

_POLL: Final = 1.0  # seconds: finds what other processes recorded, and what nothing announces
_GLANCE: Final = 0.2  # seconds between two looks at what other processes take in
_MOMENT: Final = 0.1  # seconds of work that may wait for a thread
_MOST_WAITING: Final = 64  # claims for each thread; more would not be quicker
_RELIEF: Final = 8  # for each handler thread, this many hanging ones may be replaced before dispatch stands still


@dataclass(slots=True, eq=False)
class _Run:
    """One call of a handler."""

    claim: Claim
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    over: bool = False
    """Whether it ended or was given up: whichever came first decides how the attempt ends."""
    give_up: Callable[[], None] = lambda: None
    """What is to be done when nobody waits for it any more."""


class Dispatcher:
    """Runs the handlers. ``needs_delete`` says of an account whether its messages must leave an EMS inbox.

    ``in_order``: of one originator on one account, one after the other, across all who share the journal. Without a
    ``pace`` it gives way to no burst.
    """

    def __init__(
        self,
        journal: Journal,
        handlers: Handlers,
        settings: HandlerSettings,
        needs_delete: Callable[[str], bool],
        *,
        in_order: bool = True,
        pace: Pace | None = None,
    ) -> None:
        self._journal = journal
        self._handlers = handlers
        self._settings = settings
        self._needs_delete = needs_delete
        self._in_order = in_order
        self._backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._poll = min(_POLL, settings.timeout / 4)
        self._margin = settings.timeout / 2 + 1  # seconds: time to claim, to notice that a handler hangs, to settle
        self._lease = timedelta(seconds=settings.timeout + self._margin)
        self._settling = Settling(journal)
        self._pace = pace or Pace(Place(Board(), 0))
        self._usual = _MOMENT  # seconds that a handler takes, as a moving average
        self._work: SimpleQueue[Claim | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._runs: set[_Run] = set()
        self._threads = 0  # that can take work: neither ended nor hanging
        self._waiting = 0  # claims that no thread has taken up yet
        self._few = 0  # so many or fewer of them, and it is time to claim again
        self._hanging = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._claimer = threading.Thread(target=self._run, name="dispatch", daemon=True)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to claim and handle."""
        self._journal.listen(self._wake.set)
        self._start_threads(self._settings.threads)
        self._claimer.start()

    def stop(self, timeout: float) -> bool:
        """Claim no more, let running handlers finish for ``timeout`` seconds, settle them; return whether all did."""
        self._stopping.set()
        self._wake.set()
        self._claimer.join()
        deadline = time.monotonic() + timeout
        self._give_back()
        while self.busy and time.monotonic() < deadline:
            self._wake.wait(max(0.0, min(0.1, deadline - time.monotonic())))
            self._wake.clear()
            self._settling.again()
        for _ in range(self._settings.threads):
            self._work.put(None)
        return not self.busy

    @property
    def busy(self) -> int:
        """How many handlers are running, wait for a thread, or have a result that is not yet on disk."""
        with self._lock:
            return len(self._runs) + self._waiting + len(self._settling)

    @property
    def hanging(self) -> int:
        """How many handlers were given up and have not returned since."""
        with self._lock:
            return self._hanging

    def _start_threads(self, count: int) -> None:
        with self._lock:
            self._threads += count
        for _ in range(count):
            threading.Thread(target=self._handle_all, name="handler", daemon=True).start()

    # -- claiming ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            try:
                self._give_up_hanging()
                self._settling.again()
                self._rest(more=self._claim())
                pause = 0.0
            except Exception as error:  # noqa: BLE001 - whatever it is, handling goes on; a lease that is left runs out
                pause = min(5.0, pause * 2 or 0.2)
                self._trouble(error, pause)
                self._stopping.wait(pause)
            self._wake.clear()

    def _trouble(self, error: Exception, pause: float) -> None:
        if isinstance(error, JournalUnavailableError):
            telemetry.emit("dispatch_waits_for_journal", reason=str(error), seconds=pause)
        else:
            telemetry.emit("dispatch_broke", seconds=pause, exc_info=error)

    def _rest(self, *, more: bool) -> None:
        """Wait for something to do; where much arrives, leave the machine to the receiving for a while first."""
        if rest := self._pace.rest:
            self._stopping.wait(rest)
        if not (more or self._pace.bursting):
            self._await_work(self._until_next())

    def _await_work(self, seconds: float) -> None:
        """Wait until somebody wakes us or a burst begins at another process, for so long at most."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._wake.wait(min(left, _GLANCE)):
            if self._pace.burst_begins():
                return

    def _room(self) -> int:
        """Return how many claims the threads can begin in a moment, besides those that they have.

        With quick handlers it is 0 until they have few left: one large claim costs less than many small ones.
        """
        each = max(1, min(_MOST_WAITING, int(_MOMENT / max(self._usual, 1e-6))))
        with self._lock:
            self._few = self._threads * (each - 1) // 2
            return self._threads * each - len(self._runs) - self._waiting if self._waiting <= self._few else 0

    def _claim(self) -> bool:
        """Claim what there is room for; return whether there may be more to do at once."""
        limit = self._pace.allows(max(0, self._room()))
        if limit <= 0:
            return False
        asked = time.monotonic()
        claims = self._journal.claim(limit, self._lease, in_order=self._in_order)
        if time.monotonic() - asked > self._margin:  # the rest of the lease is too short to begin
            telemetry.emit("claim_took_too_long", notifications=len(claims))
            self._journal.release(claims, Step.HANDLE)
            return True
        for claim in claims:
            self._take_up(claim)
        return len(claims) == limit

    def _take_up(self, claim: Claim) -> None:
        if self._settling.adopt(claim):
            return  # its handler has run; only the result had not reached the disk
        if claim.attempts > self._settings.max_attempts:
            self._settle_failed(_Run(claim), "no attempt ever ended: each time the process died or the lease ran out")
            return
        with self._lock:
            self._waiting += 1
        self._work.put(claim)

    def _give_back(self) -> None:
        """Release what was claimed and waits for a thread."""
        waiting = []
        with suppress(Empty):
            while (claim := self._work.get_nowait()) is not None:
                waiting.append(claim)
        if waiting:
            self._release(waiting)

    def _release(self, waiting: list[Claim]) -> None:
        """Give back claims that no handler was begun for."""
        with self._lock:
            self._waiting -= len(waiting)
        try:
            self._journal.release(waiting, Step.HANDLE)
        except JournalUnavailableError as error:
            telemetry.emit("claims_not_released", notifications=len(waiting), reason=str(error))  # their leases run out

    def _until_next(self) -> float:
        """Return for how long there is nothing to do unless somebody wakes us, in seconds."""
        if self._room() <= 0:
            return self._poll
        due = self._journal.next_handling()
        if due is None:
            return self._poll
        return max(0.0, min(self._poll, (due - datetime.now(UTC)).total_seconds()))

    def _give_up_hanging(self) -> None:
        """Count handlers that overran their time as failed, and put new threads in the place of theirs."""
        limit = time.monotonic() - self._settings.timeout
        with self._lock:
            hung = [run for run in self._runs if run.began < limit and not run.over]
            for run in hung:
                run.over = True
                self._runs.discard(run)
            replaceable = max(0, self._settings.threads * _RELIEF - self._hanging)
            self._hanging += len(hung)
            self._threads -= len(hung)
        for run in hung:
            run.give_up()
            telemetry.emit("handler_hangs", key=run.claim.key, seconds=self._settings.timeout, hanging=self.hanging)
            self._settle_failed(run, f"the handler did not return within {self._settings.timeout:g} s")
        self._start_threads(min(len(hung), replaceable))

    # -- handling ----------------------------------------------------------------------------------------------------

    def _handle_all(self) -> None:
        """Live as a handler thread: until told to end, or given up on and replaced."""
        while (claim := self._work.get()) is not None:
            if datetime.now(UTC) - claim.leased_at > timedelta(seconds=self._margin):
                self._release([claim])  # it waited behind handlers that hung: the rest of the lease is too short
                continue
            run = _Run(claim)
            with self._lock:
                self._waiting -= 1
                self._runs.add(run)
            awaited = self._handle(run)
            self._usual += (time.monotonic() - run.began - self._usual) / 8
            if awaited:
                with self._lock:
                    self._runs.discard(run)  # only now: a drain must see either the run or its result
                    few = self._waiting <= self._few
                if few:
                    self._wake.set()
            elif not self._rejoin(run):
                return

    def _handle(self, run: _Run) -> bool:
        """Call the handler and settle how it ended; return whether anybody still waited for it."""
        if self._handlers.is_transactional(run.claim.kind):
            return self._handle_in_transaction(run)
        error = self._call(run.claim)
        awaited = self._end(run)
        if awaited:
            self._settle_handled(run) if error is None else self._settle_failed(run, error)
        return awaited

    def _handle_in_transaction(self, run: _Run) -> bool:
        """Do likewise where what the handler writes and "handled" are to be committed together, or not at all."""
        try:
            transaction = self._journal.transaction(self._settings.timeout + self._margin)
        except JournalUnavailableError as error:
            awaited = self._end(run)
            if awaited:
                self._settle_failed(run, _text(error))
            return awaited
        with transaction:
            run.give_up = transaction.give_up
            failure = self._call(run.claim, transaction.connection)
            if not self._end(run):
                return False
            failure = failure or self._commit(transaction, run)
        if failure is not None:  # if the commit went through after all, this finds the lease gone and changes nothing
            self._settle_failed(run, failure)
        return True

    def _commit(self, transaction: Transaction, run: _Run) -> str | None:
        """Settle and commit; return what went wrong."""
        try:
            if not transaction.settle(self._handled(run)):
                return "rolled back: the lease had run out"
        except (JournalUnavailableError, TransactionError) as error:
            telemetry.emit("transaction_failed", key=run.claim.key, attempt=run.claim.attempts, reason=str(error))
            return _text(error)
        return None

    def _call(self, claim: Claim, *more: Connection) -> str | None:
        """Call the handler; return what went wrong."""
        try:
            function = self._handlers.get(claim.kind)
            if function is not None:
                function(claim.notification, *more)
        except BaseException as error:  # noqa: BLE001 - even sys.exit() in a handler is a failed attempt, not our end
            what = type(error).__name__
            telemetry.emit("handler_failed", key=claim.key, attempt=claim.attempts, error=what, at=_place(error))
            return _text(error)
        return None

    def _end(self, run: _Run) -> bool:
        """Note the end of a call; return whether anybody still waits for it."""
        with self._lock:
            awaited, run.over = not run.over, True
            return awaited

    def _rejoin(self, run: _Run) -> bool:
        """Come back from a call that was given up; return whether this thread is needed again."""
        telemetry.emit("handler_returned_late", key=run.claim.key)
        with self._lock:
            self._hanging -= 1
            needed = self._threads < self._settings.threads
            self._threads += needed
        self._wake.set()
        return needed

    # -- settling ----------------------------------------------------------------------------------------------------

    def _settle_handled(self, run: _Run) -> None:
        self._settling.settle(self._handled(run))

    def _handled(self, run: _Run) -> Settlement:
        """Return the settlement of a handler that returned."""
        claim, moment = run.claim, datetime.now(UTC)
        in_inbox = claim.kind is Kind.MESSAGE_RECEIVED and claim.message_id is not None
        deletes = in_inbox and self._needs_delete(claim.account)
        state, due_at = (State.HANDLED, moment) if deletes else (State.DONE, None)
        return Settlement(claim, Step.HANDLE, state, due_at, run.started_at, moment)

    def _settle_failed(self, run: _Run, error: str) -> None:
        claim, moment = run.claim, datetime.now(UTC)
        if claim.attempts >= self._settings.max_attempts:
            telemetry.emit("notification_dead", key=claim.key, attempts=claim.attempts)
            state, due_at = State.DEAD, None
        else:
            state, due_at = State.RECEIVED, moment + self._backoff.delay(claim.attempts, self._random)
        self._settling.settle(Settlement(claim, Step.HANDLE, state, due_at, run.started_at, moment, error))


def _text(error: BaseException) -> str:
    """Return what an error says, for the journal."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:  # noqa: BLE001 - a customer's exception may fail even at this
        return type(error).__name__


def _place(error: BaseException) -> str:
    """Return where an error was raised, without its message, which may quote a notification."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
