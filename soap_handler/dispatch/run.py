"""One run of a handler, as a straight line: started, called, outcome, settled. For its thread, see handler_pool.py."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final

from soap_handler import clock, telemetry
from soap_handler.errors import JournalUnavailableError, TransactionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.dispatch.results import Results
    from soap_handler.dispatch.settlements import Settlements
    from soap_handler.journal import Claim, Journal, Settlement, Transaction

_ERROR_LENGTH: Final = 500  # characters of an error's text that the journal keeps
_NEVER_ENDED: Final = "no attempt ever ended: each time the process died or the lease ran out"


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


@dataclass(slots=True, eq=False)
class Run:
    """One attempt at one notification. It ends once: by its handler, or by being given up, whichever is first."""

    claim: Claim
    started_at: datetime = field(default_factory=clock.now)
    began: float = field(default_factory=time.monotonic)
    error: str | None = None
    """Why the attempt failed; ``None`` when it did not."""
    give_up: Callable[[], None] = lambda: None
    """Frees what the handler holds (its transaction) although it is still running."""
    _ended: threading.Lock = field(default_factory=threading.Lock)
    """Taken by the first who ends the run, and never given back."""

    def end(self, error: str | None = None) -> Outcome:
        """End the run, handled or with an error; ``GIVEN_UP`` if it had ended before, which changes nothing."""
        if not self._ended.acquire(blocking=False):
            return Outcome.GIVEN_UP
        self.error = error
        return Outcome.HANDLED if error is None else Outcome.FAILED


class Runner:
    """Carries out runs: calls the handler, and settles how it ended. Thread-safe."""

    def __init__(
        self, journal: Journal, handlers: Handlers, settlements: Settlements, results: Results, lease_seconds: float
    ) -> None:
        """``lease_seconds`` is how long a transaction may last: a settlement counts only within its lease."""
        self._journal = journal
        self._handlers = handlers
        self._settlements = settlements
        self._results = results
        self._lease_seconds = lease_seconds

    def carry_out(self, run: Run) -> Outcome:
        """Call the handler and settle how it ended; return the outcome."""
        if self._handlers.is_transactional(run.claim.kind):
            outcome = self._call_in_transaction(run)
        else:
            outcome = run.end(self._call(run.claim))
        if outcome in {Outcome.HANDLED, Outcome.FAILED}:
            self.settle(run)
        return outcome

    def settle_uncalled(self, claim: Claim) -> bool:
        """Settle a claim whose handler must not be called; return whether it is one.

        Either its handler has run, and only the result had not reached the disk; or every attempt killed its process.
        """
        if self._results.adopt(claim):
            return True
        if not self._settlements.has_no_attempt_left(claim):
            return False
        run = Run(claim)
        run.end(_NEVER_ENDED)
        self.settle(run)
        return True

    def settle(self, run: Run) -> None:
        """Hand the result of a run that ended to the next commit."""
        self._results.add(self._settlement(run))

    def _call(self, claim: Claim, *connection: Connection) -> str | None:
        """Call the handler; return what went wrong."""
        try:
            function = self._handlers.get(claim.kind)
            if function is not None:
                function(claim.notification, *connection)
        except BaseException as error:  # noqa: BLE001 - even sys.exit() in a handler is a failed attempt, not our end
            what = type(error).__name__
            telemetry.emit("handler_failed", key=claim.key, attempt=claim.attempts, error=what, at=_place_of(error))
            return _text_of(error)
        return None

    def _settlement(self, run: Run) -> Settlement:
        return self._settlements.of(run.claim, run.started_at, run.error)

    # -- transactional handlers --------------------------------------------------------------------------------------

    def _call_in_transaction(self, run: Run) -> Outcome:
        """Call a handler whose writes and settlement are committed together, or not at all.

        A failure is settled after this, when the transaction has been rolled back and holds no lock any more. If its
        commit went through after all, that settlement finds the lease gone and changes nothing.
        """
        try:
            transaction = self._journal.transaction(self._lease_seconds)
        except JournalUnavailableError as error:
            return run.end(_text_of(error))
        with transaction:
            run.give_up = transaction.give_up
            outcome = run.end(self._call(run.claim, transaction.connection))
            return self._commit(transaction, run) if outcome is Outcome.HANDLED else outcome

    def _commit(self, transaction: Transaction, run: Run) -> Outcome:
        """Commit the transaction of a run that ended handled; the run may still become a failed one here.

        The watchdog cannot give the run up any more, since it has ended. If the settlement finds no lease or the
        commit fails, the handler's writes are rolled back, and the error is the attempt's.
        """
        try:
            if transaction.settle(self._settlement(run)):
                return Outcome.COMMITTED
            run.error = "rolled back: the lease had run out"
        except (JournalUnavailableError, TransactionError) as error:
            telemetry.emit("transaction_failed", key=run.claim.key, attempt=run.claim.attempts, reason=str(error))
            run.error = _text_of(error)
        return Outcome.FAILED


def _text_of(error: BaseException) -> str:
    """Return what an error says, for the journal."""
    try:
        return f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
    except Exception:  # noqa: BLE001 - a customer's exception may fail even at this
        return type(error).__name__


def _place_of(error: BaseException) -> str:
    """Return where an error was raised, without its message, which may quote a notification."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
