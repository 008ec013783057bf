"""From "handled" to "done": the delete in the EMS inbox of one account. client.py calls EMS.

A delete that fails is tried again for ever and never runs a handler again. One that is repeated does no harm, since a
message that is already gone is a success. Nothing waits for a delete, so receiving and handling go first.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.dispatch.admission import Admission
from soap_handler.errors import (
    InboxError,
    InboxFaultError,
    InboxRefusedError,
    JournalUnavailableError,
    MessageGoneError,
)
from soap_handler.inbox.circuit_breaker import CircuitBreaker
from soap_handler.inbox.delete_results import DeleteResults
from soap_handler.retry import FAILED_ROUND, Backoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.inbox.client import Inbox
    from soap_handler.journal import Claim, Journal
    from soap_handler.settings import DeleteSettings

POLL_SECONDS: Final = 1.0
"""Between two looks at the journal that nothing woke us for: finds what other processes handled."""
_GATHER_SECONDS: Final = 0.2  # a delete is not urgent, and one call for ten messages is kinder than ten calls
_SETTLE_SECONDS: Final = 5.0  # of a lease, for telling the journal
_INBOX_FAULTS: Final = 3  # faults in a row that concern the inbox, not the messages


class Deleter(BackgroundLoop):
    """Deletes the handled messages of one account from its EMS inbox, in a thread of its own.

    So one slow inbox holds up no other.
    """

    def __init__(
        self, account: str, inbox: Inbox, journal: Journal, settings: DeleteSettings, admission: Admission | None = None
    ) -> None:
        """``account`` is its reference. Neither the inbox nor the journal is closed by this class."""
        super().__init__(f"deletion {account}")
        self._account = account
        self._inbox = inbox
        self._journal = journal
        self._admission = admission or Admission()
        self._batch = settings.batch
        self._backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._breaker = CircuitBreaker(account, settings)
        self._results = DeleteResults(journal)
        # A lease covers one call for the whole batch, then single calls for as long as one call may last, then the
        # single call that began just before that time was over, then the settling.
        self._lease = 3 * inbox.longest_call + timedelta(seconds=_SETTLE_SECONDS)
        self._faults = 0  # in a row

    @property
    def account(self) -> str:
        """The reference of the account."""
        return self._account

    @property
    def login_refused(self) -> bool:
        """Whether EMS refused the credentials or the account, and has not accepted them since."""
        return self._breaker.login_refused

    # -- the thread --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to delete what is handled; each commit that may have made work wakes the loop."""
        self._journal.listen(self.wake)
        super().start()

    def run(self) -> None:
        """Delete until told to stop, then settle the call that was in flight and give back what is unused."""
        super().run()
        try:
            self._results.settle()
        except JournalUnavailableError as error:
            deleted = self._results.deleted
            telemetry.emit("deletion_unsettled", account=self._account, reason=str(error), deleted=deleted)

    def round(self) -> float:
        """Make one batch of deletes; return for how many seconds there is nothing more."""
        self._results.settle()
        seconds = self._breaker.open_for() or self._until_due()
        if seconds > 0:
            return min(POLL_SECONDS, seconds)
        claims = self._journal.claim_deletions(self._account, 1 if self.login_refused else self._batch, self._lease)
        if not claims:
            return POLL_SECONDS  # another process was quicker
        self._delete(claims)
        self._results.settle()
        return 0.0

    def rest(self, seconds: float) -> None:
        """Wait for work, for more to gather, and for what receiving needs of the machine."""
        if seconds > 0 and self.woken.wait(seconds):
            self.stopping.wait(_GATHER_SECONDS)
        self.stopping.wait(self._admission.delete_gap)

    def failed(self, error: Exception) -> float:
        """Log the failure and back off. A lease that was taken before it runs out by itself."""
        seconds = FAILED_ROUND.longest(self.failures)
        if isinstance(error, JournalUnavailableError):
            telemetry.emit("deletion_waits_for_journal", account=self._account, reason=str(error), seconds=seconds)
        else:
            telemetry.emit("deletion_broke", account=self._account, seconds=seconds, exc_info=error)
        return seconds

    def _until_due(self) -> float:
        due = self._journal.next_deletion(self._account)
        return POLL_SECONDS if due is None else max(0.0, (due - self._journal.queue_now()).total_seconds())

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
            self._breaker.succeeded()
            self._results.add_deleted(claims)
            return
        pause = timedelta(seconds=self._retry_in(claims, error))
        self._results.add_failed(claims, str(error), self._journal.queue_now() + pause)
        if not isinstance(error, InboxRefusedError):  # of a refusal the breaker has told, as an error
            telemetry.emit(
                "delete_failed",
                account=self._account,
                messages=len(claims),
                reason=str(error),
                retry_at=(self._journal.now() + pause).isoformat(),
            )

    def _retry_in(self, claims: Sequence[Claim], error: InboxError) -> float:
        """Return in how many seconds the deletes are due again.

        A refused login, an unavailable inbox and several faults in a row open the breaker, for all messages. A single
        fault concerns these messages only. While the login is refused, every failure prolongs the breaker's pause.
        """
        if isinstance(error, InboxRefusedError):
            return self._breaker.refused(str(error))
        self._faults += 1
        if not isinstance(error, InboxFaultError) or self.login_refused or self._faults >= _INBOX_FAULTS:
            return self._breaker.failed()
        return self._backoff.delay(max(claim.attempts for claim in claims), self._random).total_seconds()
