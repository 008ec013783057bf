"""The verbs of the inboxes' gates: what ``Journal.gates`` offers. The statements are in ``inbox_gates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.journal import inbox_gates

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from soap_handler.journal.inbox_gates import Entered, InboxGate, Refusal
    from soap_handler.journal.journal import Journal


class InboxGates:
    """The gates of one journal. Errors are those of the journal's own verbs."""

    def __init__(self, journal: Journal, instance: str) -> None:
        """``instance`` tells this journal's callers from those of other processes."""
        self._journal = journal
        self._instance = instance

    def closed(self, account: str | None = None) -> list[InboxGate]:
        """Return the gates that are not open, of all accounts or of one."""
        return self._journal.read(lambda connection: inbox_gates.gates(connection, account))

    def enter(
        self, account: str, owner: str, call: timedelta, longest_pause: timedelta, unlike: str | None = None
    ) -> Entered:
        """Ask to be the one who calls an inbox; the call takes no longer than ``call``.

        ``unlike`` is the hash of a refused login which is not the present one.
        """
        now = self._journal.queue_now()
        asked = inbox_gates.Entering(account, self._named(owner), now, now + call, longest_pause, unlike)
        return self._journal.wait(self._journal.committer.submit(inbox_gates.enter, asked))

    def leave(self, account: str, owner: str) -> None:
        """Let the next one try: this owner found out nothing."""
        self._journal.wait(self._journal.committer.submit(inbox_gates.leave, (account, self._named(owner))))

    def prolong(self, account: str, owner: str, until: datetime) -> None:
        """Keep a gate closed until then, after a call that found out nothing."""
        argument = (account, self._named(owner), until)
        self._journal.wait(self._journal.committer.submit(inbox_gates.prolong, argument))

    def refuse(self, refusal: Refusal) -> None:
        """Close a gate after a refusal."""
        self._journal.wait(self._journal.committer.submit(inbox_gates.refuse, refusal))

    def accept(self, account: str) -> None:
        """Open a gate: EMS accepted the login."""
        self._journal.wait(self._journal.committer.submit(inbox_gates.accept, account))

    def open(self, account: str | None = None) -> int:
        """Open the gate of an account, or of all, for a person; return how many deletes are due now that were not."""
        argument = (account, self._journal.queue_now())
        return self._journal.wait(self._journal.committer.submit(inbox_gates.open_gate, argument))

    def _named(self, owner: str) -> str:
        return f"{self._instance}:{owner}"
