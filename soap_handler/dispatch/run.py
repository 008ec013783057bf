"""One run of a handler, as a straight line: begun, called, outcome, settled. For its thread, see handler_pool.py."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from soap_handler import clock, telemetry
from soap_handler.dispatch.failure import Failure, failure_of, text_of
from soap_handler.dispatch.frames import place_of
from soap_handler.errors import JournalUnavailableError, TransactionError
from soap_handler.journal import Step
from soap_handler.log_throttle import LogThrottle
from soap_handler.metrics.catalogue import ATTEMPT_SECONDS, ATTEMPTS
from soap_handler.metrics.instruments import is_counting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.dispatch.destination import Batches, Destination
    from soap_handler.dispatch.lease import LeaseTimes
    from soap_handler.dispatch.results import Results
    from soap_handler.dispatch.settlements import Settlements
    from soap_handler.journal import Claim, Journal, Settlement, Transaction

_NO_ATTEMPT_LEFT: Final = "no attempt is left: the last ones never ended, as the process died or the lease ran out"
_DEATHS_ALLOWED: Final = 10  # processes that one notification may end
NOT_BEGUN_PAUSE: Final = timedelta(seconds=1)
"""Until a run that could not begin is claimed again."""


class Outcome(Enum):
    """How a run ended."""

    HANDLED = auto()
    """The handler returned; the settlement has yet to be written."""
    COMMITTED = auto()
    """A transactional handler returned, and its transaction holds the settlement."""
    FAILED = auto()
    """The handler raised or overran its time, or its transaction was not committed; ``Run.error`` says why."""
    GIVEN_UP = auto()
    """The run had been given up before its handler returned: what it did later counts for nothing."""
    IGNORED = auto()
    """There is no handler, on purpose; the settlement has yet to be written."""
    NOT_BEGUN = auto()
    """The handler was not called, as the journal was out of reach or the lease too old. It is no attempt."""


_LABELS: Final = {
    Outcome.HANDLED: "handled",
    Outcome.COMMITTED: "handled",
    Outcome.FAILED: "failed",
    Outcome.GIVEN_UP: "timed_out",
    Outcome.IGNORED: "ignored",
    Outcome.NOT_BEGUN: "not_begun",
}


_TO_SETTLE: Final = frozenset({Outcome.HANDLED, Outcome.FAILED})


@dataclass(slots=True, eq=False)
class Run:
    """One attempt at one notification. It ends once: by its handler, or by being given up, whichever is first."""

    claim: Claim
    started_at: datetime = field(default_factory=clock.now)
    began: float | None = None
    """When the handler was called, on the monotonic clock; ``None`` before that."""
    failure: Failure | None = None
    """Why the attempt failed; ``None`` when it did not."""
    give_up: Callable[[], None] = lambda: None
    """Frees what the handler holds (its transaction) although it is still running."""
    hangs: bool = False
    """Whether it was given up, as its handler did not return in time."""
    thread: int = field(default_factory=threading.get_ident)
    """The thread that runs the handler, perhaps in one call for several runs."""
    _ended: threading.Lock = field(default_factory=threading.Lock)
    """Taken by the first who ends the run, and never given back."""

    def begin(self) -> None:
        """Note that the handler is called now."""
        self.started_at, self.began = clock.now(), time.monotonic()

    def begin_with(self, other: Run) -> None:
        """Note that the handler is called now, in one call with another run."""
        self.started_at, self.began = other.started_at, other.began

    @property
    def error(self) -> str | None:
        """What was said when the attempt failed."""
        return None if self.failure is None else self.failure.text

    def end(self, failure: Failure | None = None) -> Outcome:
        """End the run, handled or with a failure; ``GIVEN_UP`` if it had ended before, which changes nothing."""
        if not self._ended.acquire(blocking=False):
            return Outcome.GIVEN_UP
        self.failure = failure
        return Outcome.HANDLED if failure is None else Outcome.FAILED

    def is_overdue(self, seconds: float, now: float) -> bool:
        """Whether the handler was called longer before ``now`` (monotonic) than this, and has not ended."""
        return self.began is not None and now - self.began > seconds and not self._ended.locked()

    def give_up_as_hanging(self, error: str) -> bool:
        """End the run for its handler, which still runs; return false if it has just ended by itself."""
        self.hangs = True  # before the end: the handler's thread may look as soon as that is there
        self.hangs = self.end(Failure(error)) is Outcome.FAILED
        return self.hangs

    def fail(self, error: str) -> Outcome:
        """Have the run end as failed, even where its handler had returned; ``GIVEN_UP`` if it had been given up."""
        if self.end(Failure(error)) is Outcome.GIVEN_UP and self.hangs:
            return Outcome.GIVEN_UP
        self.failure = Failure(error)
        return Outcome.FAILED


def label(run: Run, outcome: Outcome) -> str:
    """Return the outcome of a run as metrics and traces call it."""
    if run.failure is None or outcome is Outcome.GIVEN_UP:
        return _LABELS[outcome]
    return run.failure.verdict.value


class Runner:
    """Carries out runs: calls the handler, and settles how it ended. Thread-safe."""

    def __init__(
        self,
        journal: Journal,
        destination: Destination,
        settlements: Settlements,
        results: Results,
        lease: LeaseTimes,
    ) -> None:
        """``lease`` bounds a transaction too: a settlement counts only within its lease."""
        self._journal = journal
        self._name = destination.name
        self._takers = destination.takers
        self._batches = destination.batches
        self._breaker = destination.breaker
        self._settlements = settlements
        self._results = results
        self._lease = lease
        self._process = os.getpid()
        self._throttle = LogThrottle()

    def carry_out(self, run: Run) -> Outcome:
        """Call the handler and settle how it ended; return the outcome. Nothing is raised, whatever happens."""
        try:
            outcome = self._outcome_of(run)
        except BaseException as error:  # noqa: BLE001 - what is left behind by a handler must not end our thread
            telemetry.emit("run_broke", key=run.claim.key, at=place_of(error), error=type(error).__name__)
            outcome = run.fail(text_of(error))
        if outcome in _TO_SETTLE:
            self.settle(run)
        elif outcome is Outcome.IGNORED:
            self._results.add(self._settlements.ignored(run.claim, run.started_at))
        elif outcome is Outcome.NOT_BEGUN:
            self.release([run.claim], NOT_BEGUN_PAUSE)
        self._count(run, outcome)
        return outcome

    def carry_out_all(self, runs: Sequence[Run]) -> list[Outcome]:
        """Carry out runs, in one call where the destination takes several; return the outcomes. Nothing is raised."""
        if self._batches is None:
            return [self.carry_out(run) for run in runs]
        return self._carry_out_together(runs, self._batches)

    def _carry_out_together(self, runs: Sequence[Run], batches: Batches) -> list[Outcome]:
        """Deliver several in one call, and settle how each ended."""
        outcomes = [Outcome.NOT_BEGUN] * len(runs)
        try:
            ready = [run for run in runs if self._may_begin(run)]
            if ready:
                failures = self._deliver(ready, batches)
                ends = {run.claim.seq: run.end(failure) for run, failure in zip(ready, failures, strict=True)}
                outcomes = [ends.get(run.claim.seq, Outcome.NOT_BEGUN) for run in runs]
        except BaseException as error:  # noqa: BLE001 - what is left behind by a sink must not end our thread
            telemetry.emit("run_broke", key=runs[0].claim.key, at=place_of(error), error=type(error).__name__)
            outcomes = [run.fail(text_of(error)) for run in runs]
        ended = zip(runs, outcomes, strict=True)
        if settled := [self._settlement(run) for run, outcome in ended if outcome in _TO_SETTLE]:
            self._results.add(*settled)
        if waiting := [run.claim for run, outcome in zip(runs, outcomes, strict=True) if outcome is Outcome.NOT_BEGUN]:
            self.release(waiting, NOT_BEGUN_PAUSE)
        for run, outcome in zip(runs, outcomes, strict=True):
            self._count(run, outcome)
        return outcomes

    def _deliver(self, runs: Sequence[Run], batches: Batches) -> list[Failure | None]:
        """Deliver several in one call; return what went wrong with each."""
        for run in runs:
            run.begin_with(runs[-1])
        try:
            errors = batches.deliver([run.claim for run in runs])
        except BaseException as error:  # noqa: BLE001 - as for a single call
            errors = [error] * len(runs)
        self._end_forked_child(0)
        return [self._judged(run, error) for run, error in zip(runs, errors, strict=True)]

    def _judged(self, run: Run, error: BaseException | None) -> Failure | None:
        """Return what the error of a handler means; ``None``: it returned."""
        if error is None:
            if self._breaker is not None:
                self._breaker.succeeded()
            return None
        claim, what = run.claim, type(error).__name__
        telemetry.emit("handler_failed", key=claim.key, attempt=claim.attempts, error=what, at=place_of(error))
        return failure_of(error, self._breaker)

    def _count(self, run: Run, outcome: Outcome) -> None:
        """Count a run that has ended; what was given up before was counted then, by its time."""
        if outcome is Outcome.GIVEN_UP or not is_counting():
            return
        ATTEMPTS.add(1, self._name, label(run, outcome))
        if run.began is not None:
            ATTEMPT_SECONDS.observe(time.monotonic() - run.began, self._name)

    def _outcome_of(self, run: Run) -> Outcome:
        function = self._takers.function_for(run.claim)
        if function is None:
            return Outcome.IGNORED
        if self._takers.is_transactional(run.claim.kind):
            return self._call_in_transaction(run, function)
        if not self._may_begin(run):
            return Outcome.NOT_BEGUN
        return run.end(self._call(run, function))

    def settle_uncalled(self, claim: Claim) -> bool:
        """Settle a claim whose handler must not be called; return whether it is one.

        Either its handler has run, and only the result had not reached the disk; or every attempt killed its process.
        """
        if self._results.adopt(claim):
            return True
        if not (self._settlements.has_no_attempt_left(claim) or self._kills(claim)):
            return False
        self._results.add(self._settlements.dead(claim, _NO_ATTEMPT_LEFT))
        return True

    def _kills(self, claim: Claim) -> bool:
        """Whether a suspect has ended so many processes that it must not end one more, whatever attempts are left.

        Two counts must say so. Attempts alone may be those of an outage. Leases alone may have been lost beside another
        notification, which ended the process.
        """
        if not claim.is_suspect or claim.attempts <= _DEATHS_ALLOWED:
            return False
        lost = sum(each.times for each in self._journal.history(claim.seq) if each.outcome == "lost")
        return lost > _DEATHS_ALLOWED

    def settle_hanging(self, run: Run) -> None:
        """Settle a run that was given up, as its handler did not return in time."""
        ATTEMPTS.add(1, self._name, label(run, Outcome.GIVEN_UP))
        self.settle(run)

    def settle(self, run: Run) -> None:
        """Hand the result of a run that ended to the next commit."""
        self._results.add(self._settlement(run))

    def release(self, claims: Sequence[Claim], pause: timedelta = timedelta()) -> None:
        """Give back claims that no handler was begun for; they are due again after a pause."""
        try:
            self._journal.release(claims, Step.HANDLE, pause)
        except JournalUnavailableError as error:
            telemetry.emit("claims_not_released", notifications=len(claims), reason=str(error))  # their leases run out

    def _may_begin(self, run: Run) -> bool:
        """Begin the run, if its handler may be called: the attempt of a suspect must be on disk before."""
        if run.claim.is_suspect:
            try:
                if not self._journal.begin(run.claim):
                    telemetry.emit("lease_lost", key=run.claim.key, step=Step.HANDLE.value)
                    return False
            except JournalUnavailableError as error:
                self._tell_not_begun(run, error)
                return False
        if self._lease.is_stale(run.claim):
            return False
        run.begin()
        return True

    def _tell_not_begun(self, run: Run, error: JournalUnavailableError) -> None:
        if times := self._throttle.due("handler_not_begun"):
            telemetry.emit("handler_not_begun", key=run.claim.key, reason=str(error), times=times)

    def _call(self, run: Run, function: Callable[..., None], *connection: Connection) -> Failure | None:
        """Call the handler; return what went wrong."""
        try:
            function(*connection)
        except BaseException as error:  # noqa: BLE001 - even sys.exit() in a handler is a failed attempt, not our end
            self._end_forked_child(1)
            return self._judged(run, error)
        self._end_forked_child(0)
        return self._judged(run, None)

    def _end_forked_child(self, code: int) -> None:
        """End this process if the handler forked it: a child that returned must not go on as a second service."""
        if os.getpid() != self._process:
            os._exit(code)

    def _settlement(self, run: Run) -> Settlement:
        return self._settlements.of(run.claim, run.started_at, run.failure)

    # -- transactional handlers --------------------------------------------------------------------------------------

    def _call_in_transaction(self, run: Run, function: Callable[..., None]) -> Outcome:
        """Call a handler whose writes and settlement are committed together, or not at all.

        A failure is settled after this, when the transaction has been rolled back and holds no lock any more. If its
        commit went through after all, that settlement finds the lease gone and changes nothing.
        """
        try:
            transaction = self._journal.transaction(self._lease.seconds)
        except JournalUnavailableError as error:
            self._tell_not_begun(run, error)
            return Outcome.NOT_BEGUN
        with transaction:
            run.give_up = transaction.give_up
            if not self._may_begin(run):
                return Outcome.NOT_BEGUN
            outcome = run.end(self._call(run, function, transaction.connection))
            return self._commit(transaction, run) if outcome is Outcome.HANDLED else outcome

    def _commit(self, transaction: Transaction, run: Run) -> Outcome:
        """Commit the transaction of a run that ended handled; the run may still become a failed one here.

        The watchdog cannot give the run up any more, since it has ended. If the settlement finds no lease or the
        commit fails, the handler's writes are rolled back, and the error is the attempt's.
        """
        try:
            if transaction.settle(self._settlement(run)):
                return Outcome.COMMITTED
            run.failure = Failure("rolled back: the lease had run out")
        except (JournalUnavailableError, TransactionError) as error:
            telemetry.emit("transaction_failed", key=run.claim.key, attempt=run.claim.attempts, reason=str(error))
            run.failure = Failure(text_of(error))
        return Outcome.FAILED
