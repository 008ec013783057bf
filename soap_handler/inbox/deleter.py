"""From "handled" to "done": the delete in the EMS inbox. How EMS is called is ``inbox``'s business, not ours.

One thread for each account, so that one slow inbox holds up no other. A delete that fails is tried again for ever and
never runs a handler again; one that is repeated does no harm, since a message that is already gone is a success.
Nothing waits for a delete, so others may go first.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import (
    InboxError,
    InboxFaultError,
    InboxRefusedError,
    JournalUnavailableError,
    MessageGoneError,
)
from soap_handler.inbox import Gate
from soap_handler.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.inbox import Inbox
    from soap_handler.journal import Claim, Journal
    from soap_handler.settings import DeleteSettings

_POLL: Final = 1.0  # seconds: finds what other processes handled, and what nothing announces
_GATHER: Final = 0.2  # seconds: a delete is not urgent, and one call for ten messages is kinder than ten calls
_FAULTS_IN_A_ROW: Final = 3  # so many concern the inbox, not the messages
_JOURNAL_BACKOFF: Final = Backoff(first=0.2, cap=5.0)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Deletes that failed, and when they are due again."""

    claims: Sequence[Claim]
    reason: str
    retry_at: datetime


class Deleter:
    """Deletes the handled messages of one account from its EMS inbox, in a thread of its own."""

    def __init__(
        self,
        account: str,
        inbox: Inbox,
        journal: Journal,
        settings: DeleteSettings,
        gap: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``account`` is its reference. Neither the inbox nor the journal is closed by this class.

        ``gap`` says for how long (seconds) to leave the machine to others before the next call.
        """
        self._account = account
        self._inbox = inbox
        self._journal = journal
        self._gap = gap
        self._batch = settings.batch
        self._backoff = Backoff(settings.backoff, settings.backoff_cap)
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._gate = Gate(account, settings)
        self._longest_call = inbox.longest_call
        # For the batch, for calls one by one as long as one may last, for the last of these, and for the settling.
        self._lease = 3 * self._longest_call + timedelta(seconds=5)
        self._faults = 0  # in a row
        # What the journal has yet to be told. It outlives a journal that is out of reach.
        self._deleted: list[Claim] = []
        self._failed: list[_Failure] = []
        self._unused: list[Claim] = []
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"deletion {account}", daemon=True)

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """The reference of the account."""
        return self._account

    @property
    def paused(self) -> bool:
        """Whether EMS refused the credentials or the account, and has not accepted them since."""
        return self._gate.paused

    def start(self) -> None:
        """Begin to delete what is handled, now and from now on."""
        self._journal.listen(self.wake)
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something to delete. Returns at once; any thread may call it."""
        self._bell.set()

    def stop(self, timeout: float) -> bool:
        """Finish and settle the call in flight, give back what is unused; return whether ``timeout`` s were enough."""
        self._stopping.set()
        self._bell.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._bell.clear()  # before looking, so that no call of wake() is lost
            try:
                rest = self._work()
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, deleting goes on; a lease that is left runs out
                failures += 1
                rest = self._trouble(error, failures)
            if rest > 0 and self._bell.wait(rest):
                self._stopping.wait(_GATHER)
            self._stopping.wait(self._gap())
        self._finish()

    def _work(self) -> float:
        """Do what there is to do; return for how long (seconds) there is nothing more, unless somebody wakes us."""
        self._settle()
        rest = self._gate.wait() or self._until_due()
        if rest > 0:
            return min(_POLL, rest)
        claims = self._journal.claim_deletions(self._account, 1 if self.paused else self._batch, self._lease)
        if not claims:
            return _POLL  # another process was quicker
        self._delete(claims)
        self._settle()
        return 0

    def _until_due(self) -> float:
        due = self._journal.next_deletion(self._account)
        return _POLL if due is None else max(0.0, (due - _now()).total_seconds())

    def _trouble(self, error: Exception, failures: int) -> float:
        rest = _JOURNAL_BACKOFF.longest(failures)
        if isinstance(error, JournalUnavailableError):
            telemetry.emit("deletion_waits_for_journal", account=self._account, reason=str(error), seconds=rest)
        else:
            telemetry.emit("deletion_broke", account=self._account, seconds=rest, exc_info=error)
        return rest

    def _finish(self) -> None:
        try:
            self._settle()
        except JournalUnavailableError as error:
            # The leases run out, and the deletes are made again: harmless.
            telemetry.emit("deletion_unsettled", account=self._account, reason=str(error), deleted=len(self._deleted))

    # -- deleting ----------------------------------------------------------------------------------------------------

    def _delete(self, claims: Sequence[Claim]) -> None:
        error = self._call(claims)
        if len(claims) > 1 and isinstance(error, MessageGoneError | InboxFaultError):
            self._delete_singly(claims)  # one of them spoilt the call for all
        else:
            self._note(claims, error)

    def _delete_singly(self, claims: Sequence[Claim]) -> None:
        deadline = time.monotonic() + self._longest_call.total_seconds()
        for position, claim in enumerate(claims):
            if self._stopping.is_set() or self._gate.wait() > 0 or time.monotonic() > deadline:
                self._unused.extend(claims[position:])
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
        """Take down how a call ended, for the journal and for the gate."""
        if error is None or isinstance(error, MessageGoneError):
            self._faults = 0
            self._gate.succeeded()
            self._deleted.extend(claims)
            return
        retry_at = self._retry_at(claims, error)
        self._failed.append(_Failure(claims, str(error), retry_at))
        if not isinstance(error, InboxRefusedError):  # the gate has said so, louder
            telemetry.emit(
                "delete_failed",
                account=self._account,
                messages=len(claims),
                reason=str(error),
                retry_at=retry_at.isoformat(),
            )

    def _retry_at(self, claims: Sequence[Claim], error: InboxError) -> datetime:
        if isinstance(error, InboxRefusedError):
            return self._gate.refused(str(error))
        self._faults += 1
        if not isinstance(error, InboxFaultError) or self.paused or self._faults >= _FAULTS_IN_A_ROW:
            return self._gate.failed()
        return _now() + self._backoff.delay(max(claim.attempts for claim in claims), self._random)

    # -- settling ----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Tell the journal how the calls ended. What it does not commit stays noted, and is told again."""
        if self._deleted:
            self._journal.settle_deleted(self._deleted)
            self._deleted = []
        while self._failed:
            failure = self._failed[0]
            self._journal.settle_delete_failed(failure.claims, failure.reason, failure.retry_at)
            del self._failed[0]
        if self._unused:
            self._journal.release(self._unused)
            self._unused = []
