"""The verbs of the inboxes' gates: what ``Journal.gates`` offers. The statements are in ``gates``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from soap_handler.journal.access import SubjectVerbs
from soap_handler.journal.inbox import gates as inbox_gates
from soap_handler.journal.operator import releasing
from soap_handler.journal.records import Selection, State

if TYPE_CHECKING:
    from datetime import datetime

    from soap_handler.journal.access import Access
    from soap_handler.journal.inbox.gates import Entered, InboxGate, Refusal


class InboxGates(SubjectVerbs):
    """The gates of one journal. Their instants are of the clock of due times."""

    def __init__(self, journal: Access, instance: str) -> None:
        """``instance`` tells this journal's callers from those of other processes."""
        super().__init__(journal)
        self._instance = instance

    def closed(self, account: str | None = None) -> list[InboxGate]:
        """Return the gates that are not open, of all accounts or of one."""
        return self._journal.read(lambda connection: inbox_gates.gates(connection, account))

    def enter(
        self, account: str, owner: str, call: timedelta, longest_pause: timedelta, unlike: str | None = None
    ) -> Entered:
        """Ask to be the one who calls an inbox; the call takes no longer than ``call``.

        ``unlike`` is the hash of a refused login which is not the present one. The deletes that waited for it are made
        due first: should the process die in between, its successor finds the gate as it was.
        """
        if unlike is not None:
            self._make_deletes_due(account)
        now = self._journal.queue_now()
        asked = inbox_gates.Entering(account, self._named(owner), now, now + call, longest_pause, unlike)
        return self._write(inbox_gates.enter, asked)

    def leave(self, account: str, owner: str) -> None:
        """Let the next one try: this owner found out nothing."""
        self._write(inbox_gates.leave, (account, self._named(owner)))

    def prolong(self, account: str, owner: str, until: datetime) -> None:
        """Keep a gate closed until then, after a call that found out nothing."""
        self._write(inbox_gates.prolong, (account, self._named(owner), until))

    def refuse(self, refusal: Refusal) -> None:
        """Close a gate after a refusal."""
        self._write(inbox_gates.refuse, refusal)

    def accept(self, account: str) -> None:
        """Open a gate: EMS accepted the login."""
        self._write(inbox_gates.accept, account)

    def open(self, account: str | None = None) -> int:
        """Open the gate of an account, or of all, for a person; return how many deletes are due now that were not."""
        self._write(inbox_gates.open_gates, account)
        return self._make_deletes_due(account)

    def _make_deletes_due(self, account: str | None) -> int:
        """Make due what waits to be deleted and is in no call now, some rows at a time; return how many there were."""
        deletes = Selection(state=State.HANDLED, account=None if account is None else (account,))
        parts = releasing.held_back_in_parts(self._journal.read, deletes, self._journal.queue_now())
        return sum(self._journal.committer.submit(releasing.release_due, seqs).result() for seqs in parts)

    def seconds_until(self, moment: datetime) -> float:
        """Return in how many seconds an instant of a gate is; negative when it has passed."""
        return (moment - self._journal.queue_now()).total_seconds()

    def moment_in(self, seconds: float) -> datetime:
        """Return the instant in so many seconds, as a gate has it."""
        return self._journal.queue_now() + timedelta(seconds=seconds)

    def _named(self, owner: str) -> str:
        return f"{self._instance}:{owner}"
