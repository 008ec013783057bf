"""The verbs of what runs beside the queue: the inbox is compared with the journal, and old rows are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.errors import JournalRefusedError
from soap_handler.journal import purge
from soap_handler.journal.access import Access
from soap_handler.journal.inbox import reconciliations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from soap_handler.journal.inbox.reconciliations import Beginning, Known, Reconciliation, Tally
    from soap_handler.journal.purge import Cleared
    from soap_handler.journal.records import Entry


class UpkeepVerbs(Access):
    """Reconciliation and retention, as a part of the journal."""

    def record_all(self, entries: Sequence[Entry]) -> list[bool]:
        """Commit entries together; say of each whether it was new.

        Raises:
            JournalRefusedError: one of them cannot be stored. All others are.
        """
        try:
            return self.wait(self.submit_all(entries))
        except JournalRefusedError:
            if len(entries) == 1:
                raise
        return self._record_singly(entries)

    def _record_singly(self, entries: Sequence[Entry]) -> list[bool]:
        refused: JournalRefusedError | None = None
        answers = []
        for entry in entries:
            try:
                answers.append(self.record(entry))
            except JournalRefusedError as error:
                refused = error
        if refused is not None:
            raise refused
        return answers

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of those of the keys that are in the journal."""
        return self.read(lambda connection: reconciliations.known(connection, keys), self._timeout)

    def delete_again(self, keys: Sequence[str], done_before: datetime) -> int:
        """Have those of the keys deleted once more that were done before an instant; return how many there were."""
        return self.wait(self.committer.submit(reconciliations.delete_again, (keys, done_before, self.now())))

    def begin_reconciliation(self, beginning: Beginning) -> int | None:
        """Write down that a run begins, and return its number; ``None`` where another one makes it needless."""
        return self.wait(self.committer.submit(reconciliations.begin, beginning))

    def end_reconciliation(self, number: int, tally: Tally, error: str | None) -> None:
        """Write down how a run ended."""
        self.wait(self.committer.submit(reconciliations.end, reconciliations.Ending(number, self.now(), tally, error)))

    def reconciliations(self, account: str | None = None, limit: int | None = None) -> list[Reconciliation]:
        """Return the records of the runs, latest first."""
        return self.read(lambda connection: reconciliations.runs(connection, account, limit))

    def purge(self, before: datetime, after: int = 0, last: int | None = None) -> Cleared:
        """Delete what was done before an instant, in one step behind row ``after``; ``last`` is the newest to go."""
        return self.wait(self.committer.submit(purge.purge, purge.Cut(before, after, last=last)))

    def pass_time(self, uptime: timedelta, floor: timedelta) -> int:
        """Note that this process has seen so much time pass since it last said so.

        Returns the newest row that has been here while ``floor`` surely passed, with all processes; 0 for none.
        """
        return self.wait(self.committer.submit(purge.pass_time, purge.Passing(uptime, floor)))

    def purge_reconciliations(self, before: datetime) -> int:
        """Delete the records of reconciliations that began before an instant; return how many there were."""
        return self.wait(self.committer.submit(purge.purge_runs, before))
