"""A journal that tells of each entry how its commit ended, for the log at debug and for traces.

It is used only where there is something to tell: a plain :class:`Journal` does nothing of this for a push.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soap_handler import telemetry
from soap_handler.errors import JournalRefusedError
from soap_handler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import TypeAlias

    from soap_handler.journal.records import Entry

    Watcher: TypeAlias = Callable[["Committed"], None]


@dataclass(frozen=True, slots=True)
class Committed:
    """How the commit of an entry ended."""

    entry: Entry
    is_new: bool | None
    """``False`` for a duplicate; ``None``: it was not stored, and its sender is to push again."""


class WatchedJournal(Journal):
    """Calls watchers with each entry at the end of its commit, in the thread that ends it; they must return at once."""

    def __init__(self, *args: Any, watchers: Sequence[Watcher], **kwargs: Any) -> None:  # noqa: ANN401 - those of Journal
        """Open the journal as :class:`Journal` does."""
        self._watchers = tuple(watchers)
        super().__init__(*args, **kwargs)

    def submit(self, entry: Entry) -> Future[bool]:
        """Queue an entry, as :meth:`Journal.submit` does."""
        commit = super().submit(entry)
        commit.add_done_callback(lambda ended: self._tell([entry], _result(ended, 1)))
        return commit

    def submit_all(self, entries: Sequence[Entry]) -> Future[list[bool]]:
        """Queue entries, as :meth:`Journal.submit_all` does."""
        commit = super().submit_all(entries)
        commit.add_done_callback(lambda ended: self._tell_all(entries, ended))
        return commit

    def _tell_all(self, entries: Sequence[Entry], ended: Future[list[bool]]) -> None:
        refused = not ended.cancelled() and isinstance(ended.exception(), JournalRefusedError)
        if not refused or len(entries) == 1:  # else one of them is at fault, and each is submitted again, alone
            self._tell(entries, _result(ended, len(entries)))

    def _tell(self, entries: Sequence[Entry], results: Sequence[bool | None]) -> None:
        for entry, is_new in zip(entries, results, strict=True):
            for watcher in self._watchers:
                watcher(Committed(entry, is_new))


def _result(ended: Future[Any], count: int) -> Sequence[bool | None]:
    if ended.cancelled() or ended.exception() is not None:
        return [None] * count
    result = ended.result()
    return [result] if isinstance(result, bool) else list(result)


def tell_accepted(committed: Committed) -> None:
    """Log what was stored, for ``log.level = "debug"``: its key, and nothing of its content."""
    if committed.is_new is not None:
        entry = committed.entry
        telemetry.emit(
            "push_accepted",
            key=entry.notification.key,
            result="stored" if committed.is_new else "duplicate",
            source=entry.source.value,
            repaired=list(entry.notification.repaired),
            others=len(entry.others),
        )
