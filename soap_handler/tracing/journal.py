"""A journal with spans: it keeps the context of each push, gives it back with each claim, and tells of deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import queries
from soap_handler.journal.watched import WatchedJournal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from datetime import datetime, timedelta

    from soap_handler.journal import Claim, Entry
    from soap_handler.journal.watched import Watcher
    from soap_handler.tracing.spans import Spans


class TracedJournal(WatchedJournal):
    """A journal whose entries all have a trace context, and whose claims have that of their rows."""

    def __init__(self, *args: Any, spans: Spans, watchers: Sequence[Watcher] = (), **kwargs: Any) -> None:  # noqa: ANN401 - those of Journal
        """Open the journal as :class:`Journal` does."""
        self._spans = spans
        super().__init__(*args, watchers=(spans.committed, *watchers), **kwargs)

    def submit(self, entry: Entry) -> Future[bool]:
        """Queue an entry. One that no push brought begins its trace here."""
        return super().submit(self._spans.recover(entry))

    def submit_all(self, entries: Sequence[Entry]) -> Future[list[bool]]:
        """Queue entries. What no push brought begins its trace here."""
        return super().submit_all([self._spans.recover(entry) for entry in entries])

    def record_all(self, entries: Sequence[Entry]) -> list[bool]:
        """Commit entries together, or each alone where one of them is refused: in one trace all the same."""
        return super().record_all([self._spans.recover(entry) for entry in entries])

    def claim(self, limit: int, lease: timedelta, **terms: Any) -> list[Claim]:  # noqa: ANN401 - those of Journal.claim
        """Lease what is due, with its contexts."""
        return self._with_contexts(super().claim(limit, lease, **terms))

    def claim_deletions(self, account: str, limit: int, *lease: timedelta) -> list[Claim]:
        """Lease what is to be deleted, with its contexts."""
        return self._with_contexts(super().claim_deletions(account, limit, *lease))

    def _with_contexts(self, claims: list[Claim]) -> list[Claim]:
        """Read the contexts of claims, in one query. Without it the work goes on, in traces of its own."""
        if not claims:
            return claims
        seqs = [claim.seq for claim in claims]
        try:
            contexts = self.read(lambda connection: queries.trace_contexts(connection, seqs), self._timeout)
        except JournalUnavailableError:
            return claims
        return [claim._replace(trace_context=contexts.get(claim.seq)) for claim in claims]

    def settle_deleted(self, claims: Sequence[Claim]) -> None:
        """Note that EMS confirmed the deletes."""
        super().settle_deleted(claims)
        self._spans.deleted(claims, self.now())

    def settle_delete_failed(self, claims: Sequence[Claim], error: str, retry_at: datetime) -> None:
        """Note that the deletes failed."""
        super().settle_delete_failed(claims, error, retry_at)
        self._spans.deleted(claims, self.now(), error)
