"""The verbs that look: what is due next, how much there is, the records and their histories."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from soap_handler.journal import queries
from soap_handler.journal.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from soap_handler.journal.records import Attempt, Record, Selection, State
    from soap_handler.journal.scope import Scope
    from soap_handler.notifications import Kind


class ReadingVerbs(Access):
    """What can be asked of the journal. Each view has more in ``questions``."""

    def next_handling(self, scope: Scope | None = None) -> datetime | None:
        """Return when the next handler is due, by :meth:`queue_now`; ``None`` when there is nothing to handle."""
        return self.read(lambda connection: queries.next_handling(connection, scope), self._timeout)

    def next_deletions(self) -> dict[str, datetime]:
        """Return when the next delete is due, by account and :meth:`queue_now`; none is due for the others."""
        return self.read(queries.next_deletions, self._timeout)

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Return how many notifications there are of each kind in each state."""
        return self.read(queries.counts)

    def records(self, selection: Selection, limit: int | None = None, offset: int = 0) -> list[Record]:
        """Return the records of a selection, latest first."""
        # Both clocks are read a moment apart, so that less than a second is no difference.
        ahead = timedelta(seconds=round((self.queue_now() - self.now()).total_seconds()))
        return self.read(lambda connection: queries.records(connection, selection, limit, offset, ahead))

    def history(self, seq: int) -> list[Attempt]:
        """Return the attempts at a notification, oldest first."""
        return self.read(lambda connection: queries.history(connection, seq))

    def attempts(self) -> Iterator[tuple[str, Attempt]]:
        """Return every attempt with the key of its notification, oldest first."""
        return iter(self.read(queries.attempts))
