"""When deletes are made: one look at the journal for all accounts, and a turn for each that has something to delete.

So an account with nothing to delete costs nothing, and a thousand of them no more than one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.background import BackgroundLoop
from soap_handler.errors import JournalUnavailableError
from soap_handler.inbox.workers import Workers
from soap_handler.retry import FAILED_ROUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.dispatch.admission import Admission
    from soap_handler.inbox.connections import Connections
    from soap_handler.inbox.deleter import Deleter
    from soap_handler.journal import InboxGate, Journal
    from soap_handler.log_throttle import LogThrottle

POLL_SECONDS: Final = 1.0
"""Between two looks at the journal that no commit asked for: finds what other processes handled."""
_GATHER_SECONDS: Final = 0.2  # a delete is not urgent, and one call for ten messages is kinder than ten calls
_CALLS_AT_ONCE: Final = 32  # so many inboxes may be slow before another one waits for them


class DeleteSchedule(BackgroundLoop):
    """Has the deleters make their turns: one thread that looks, and worker threads for the calls."""

    def __init__(
        self,
        deleters: Mapping[str, Deleter],
        journal: Journal,
        admission: Admission,
        log_throttle: LogThrottle,
        connections: Connections,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Have ``deleters`` work: those in use, by account. They may change at any time.

        Of their ``connections``, those that are idle are closed in time. ``poll_seconds`` is the time between two looks
        at the journal that no commit asked for.
        """
        super().__init__("deletion")
        self._deleters = deleters
        self._journal = journal
        self._admission = admission
        self._log_throttle = log_throttle
        self._connections = connections
        self._poll_seconds = poll_seconds
        self._workers = Workers("deletion call", _CALLS_AT_ONCE)

    def start(self) -> None:
        """Begin to delete what is handled; each commit that may have made work wakes the loop."""
        self._journal.listen(self.wake)
        super().start()

    def run(self) -> None:
        """Look until told to stop."""
        super().run()
        for turn in self._workers.stop():
            turn()  # which finds that its deleter is stopped

    def round(self) -> float:
        """Have each deleter that has something to do begin a turn; return for how many seconds there is no more."""
        self._connections.close_idle()
        if not self._deleters:
            return self._poll_seconds
        due = self._journal.next_deletions()
        gates = {gate.account: gate for gate in self._journal.gates.closed()} if due else {}
        seconds = self._poll_seconds
        for account, at in due.items():
            deleter = self._deleters.get(account)
            if deleter is None or deleter.is_busy:
                continue
            wait = self._seconds_until_turn(deleter, self._journal.gates.seconds_until(at), gates.get(account))
            if wait <= 0:
                deleter.begin()
                self._workers.submit(deleter.take_turn)
            seconds = min(seconds, wait) if wait > 0 else seconds
        return seconds

    def rest(self, seconds: float) -> None:
        """Wait for work, for more to gather, and for what receiving needs of the machine."""
        if seconds > 0 and self.woken.wait(seconds):
            self.stopping.wait(_GATHER_SECONDS)
        self.stopping.wait(self._admission.delete_gap)

    def failed(self, error: Exception) -> float:
        """Log the failure and back off."""
        if not isinstance(error, JournalUnavailableError):
            telemetry.emit("deletion_broke", account=None, exc_info=error)
        elif times := self._log_throttle.due("journal"):
            telemetry.emit("deletion_waits_for_journal", account=None, reason=str(error), times=times)
        return FAILED_ROUND.longest(self.failures)

    def _seconds_until_turn(self, deleter: Deleter, due: float, gate: InboxGate | None) -> float:
        """Return in how many seconds the deleter has something to do, as far as is known."""
        if gate is not None and deleter.is_kept_by(gate):
            return self._poll_seconds
        at_once = deleter.has_untold or (gate is not None and deleter.may_be_corrected(gate))
        return max(0.0 if at_once else due, deleter.seconds_to_rest())
