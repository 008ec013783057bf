"""From "handled" to "done": the deletes in the EMS inbox of one account. client.py calls EMS.

A delete that fails is tried again for ever and never runs a handler again. One that is repeated does no harm, since a
message that is already gone is a success. Nothing waits for a delete, so receiving and handling go first.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import (
    InboxError,
    InboxFaultError,
    InboxRefusedError,
    JournalUnavailableError,
    MessageGoneError,
)
from soap_handler.inbox.circuit_breaker import CircuitBreaker
from soap_handler.inbox.client import Inbox
from soap_handler.inbox.delete_results import DeleteResults
from soap_handler.inbox.login_gate import LoginGate
from soap_handler.retry import FAILED_ROUND, Backoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.dispatch.admission import Admission
    from soap_handler.inbox.connections import Connections
    from soap_handler.journal import Claim, InboxGate, Journal
    from soap_handler.log_throttle import LogThrottle
    from soap_handler.settings import DeleteSettings, InboxSettings

_SETTLE_SECONDS: Final = 5.0  # of a lease, for telling the journal
_INBOX_FAULTS: Final = 3  # faults in a row that concern the inbox, not the messages
_random: Final = random.Random()  # noqa: S311 - spreads retries, guards nothing; one for all, as each has 2.5 kB


class Deleter:
    """Deletes the handled messages of one account from its EMS inbox, in turns that delete_schedule.py has made.

    One turn at a time, each in a thread of its own, so one slow inbox holds up no other.
    """

    def __init__(
        self,
        account: str,
        settings: InboxSettings,
        journal: Journal,
        delete: DeleteSettings,
        *,
        admission: Admission,
        log_throttle: LogThrottle,
        connections: Connections,
    ) -> None:
        """``account`` is its reference. ``log_throttle`` is shared by all, for what concerns them all at once."""
        self.account = account
        """The reference of the account."""
        self.settings = settings
        """The inbox that it empties."""
        self.stopping = threading.Event()
        """Set once this deleter is to begin nothing more."""
        self._inbox = Inbox(account, settings, connections)
        self._journal = journal
        self._admission = admission
        self._log_throttle = log_throttle
        self._batch = delete.batch
        self._backoff = Backoff(delete.backoff, delete.backoff_cap)
        self._breaker = CircuitBreaker(delete, account=self.account)
        # A lease covers one call for the whole batch, then single calls for as long as one call may last, then the
        # single call that began just before that time was over, then the settling.
        self._lease = 3 * self._inbox.longest_call + timedelta(seconds=_SETTLE_SECONDS)
        self._gate = LoginGate(account, settings, journal, delete, self._lease)
        self._results = DeleteResults(journal)
        self._faults = 0  # in a row
        self._failures = 0  # turns in a row that could not be made
        self._rest_until = 0.0
        self._idle = threading.Event()
        self._idle.set()

    @property
    def login_refused(self) -> bool:
        """Whether EMS refused the credentials or the account, and has not accepted them since."""
        return self._gate.login_refused

    # -- turns -------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a turn is being made, or about to be."""
        return not self._idle.is_set()

    @property
    def has_untold(self) -> bool:
        """Whether there are results that the journal does not know yet."""
        return not self._results.is_empty

    def seconds_to_rest(self) -> float:
        """Return for how many seconds no turn is to be made, after a failure."""
        return max(0.0, self._rest_until - time.monotonic(), self._breaker.open_for())

    def is_kept_by(self, gate: InboxGate) -> bool:
        """Whether the gate of the account, as it is in the journal, is known to keep us from calling now."""
        return self._gate.is_closed(gate)

    def may_be_corrected(self, gate: InboxGate) -> bool:
        """Whether the login that EMS refused may be another one than ours, so that a turn frees what waits for it."""
        return self._gate.may_be_corrected(gate)

    def begin(self) -> None:
        """Note that a turn is about to be made; :meth:`take_turn` must follow."""
        self._idle.clear()

    def take_turn(self) -> None:
        """Delete what is due, batch by batch. It raises nothing."""
        try:
            while not self.stopping.is_set() and self._delete_batch():
                self.stopping.wait(self._admission.delete_gap)
            self._failures = 0
        except Exception as error:  # noqa: BLE001 - a defect in one turn must not end all later ones
            self._failures += 1
            self._rest_until = time.monotonic() + FAILED_ROUND.longest(self._failures)
            self._tell(error)
        finally:
            if self.stopping.is_set():
                self._end()
            self._idle.set()

    def stop(self, timeout: float) -> bool:
        """Wait for the call in flight to be finished and settled; return whether ``timeout`` seconds were enough."""
        self.stopping.set()
        if not self._idle.wait(timeout):
            return False
        if self.has_untold:
            self._end()
        return True

    def _end(self) -> None:
        """Settle what there is, and give back what is unused."""
        try:
            self._gate.tell()
            self._results.settle()
        except JournalUnavailableError as error:
            deleted = self._results.deleted
            telemetry.emit("deletion_unsettled", account=self.account, reason=str(error), deleted=deleted)

    def _tell(self, error: Exception) -> None:
        """Log a turn that could not be made. A lease that was taken before it runs out by itself."""
        if not isinstance(error, JournalUnavailableError):
            telemetry.emit("deletion_broke", account=self.account, exc_info=error)
        elif times := self._log_throttle.due("journal"):
            telemetry.emit("deletion_waits_for_journal", account=self.account, reason=str(error), times=times)

    def _delete_batch(self) -> bool:
        """Make one batch of deletes; return whether there may be more to do now.

        What was handled meanwhile is another turn's: the commit of the results has it looked for.
        """
        self._results.settle()
        if self._gate.enter() > 0:
            return False
        try:
            limit = 1 if self.login_refused else self._batch
            claims = self._journal.claim_deletions(self.account, limit, self._lease)
            if claims:
                self._delete(claims)
        finally:
            self._gate.leave()
        self._gate.tell()
        self._results.settle()
        return len(claims) == limit and not self._breaker.open_for()

    # -- deleting ----------------------------------------------------------------------------------------------------

    def _delete(self, claims: Sequence[Claim]) -> None:
        error = self._call(claims)
        if len(claims) > 1 and isinstance(error, MessageGoneError | InboxFaultError):
            self._delete_singly(claims)  # one of them spoilt the call for all
        else:
            self._note(claims, error)

    def _delete_singly(self, claims: Sequence[Claim]) -> None:
        deadline = time.monotonic() + self._inbox.longest_call.total_seconds()
        for position, claim in enumerate(claims):
            if self.stopping.is_set() or self._breaker.open_for() > 0 or time.monotonic() > deadline:
                self._results.add_unused(claims[position:])
                return
            error = self._call([claim])
            if error is not None and not isinstance(error, MessageGoneError | InboxFaultError):
                self._note(claims[position:], error)  # no hundred timeouts in a row
                return
            self._note([claim], error)

    def _call(self, claims: Sequence[Claim]) -> InboxError | None:
        """Call the inbox once; return what went wrong."""
        try:
            self._inbox.delete([claim.message_id for claim in claims if claim.message_id is not None])
        except InboxError as error:
            return error
        return None

    def _note(self, claims: Sequence[Claim], error: InboxError | None) -> None:
        """Take down how a call ended, for the journal and for the circuit breaker."""
        if error is None or isinstance(error, MessageGoneError):
            self._faults = 0
            self._results.add_deleted(claims)
            self._breaker.succeeded()
            self._gate.accepted()
            return
        pause = timedelta(seconds=self._retry_in(claims, error))
        self._results.add_failed(claims, str(error), self._journal.queue_now() + pause)
        if not isinstance(error, InboxRefusedError):  # of a refusal the breaker has told, as an error
            telemetry.emit(
                "delete_failed",
                account=self.account,
                messages=len(claims),
                reason=str(error),
                retry_at=(self._journal.now() + pause).isoformat(),
            )

    def _retry_in(self, claims: Sequence[Claim], error: InboxError) -> float:
        """Return in how many seconds the deletes are due again.

        A refused login closes the gate, for all messages and all processes. An unavailable inbox and several faults in
        a row open the breaker, for all messages. A single fault concerns these messages only. While the login is
        refused, every failure prolongs the pause.
        """
        if isinstance(error, InboxRefusedError):
            return self._gate.refused(str(error))
        self._faults += 1
        pause = self._gate.failed()
        if pause is not None:
            return pause
        if not isinstance(error, InboxFaultError) or self._faults >= _INBOX_FAULTS:
            return self._breaker.failed()
        return self._backoff.delay(max(claim.attempts for claim in claims), _random).total_seconds()
