"""Reconciliation: one run compares an account's inbox with the journal. reconcile_schedule.py says when.

A received message stays in the inbox until it is deleted, whether or not its push succeeded (contract, section 2):

- Unknown to the journal: its push was missed. It is journaled as a push is, so it is handled and deleted like one.
- Done before the run began, and still there: EMS confirmed a delete that it did not make. It is deleted again.
- Anything else is left alone. A dead one stays in the inbox until a person sends it round again.

A message without a usable id is recovered once, under a key of its content; as it cannot be deleted, it is left alone
from then on. One that cannot be read is counted, logged, and stays.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from soap_handler import telemetry
from soap_handler.errors import InboxError, JournalUnavailableError
from soap_handler.inbox.messages import Unreadable
from soap_handler.inbox.missing import Missing
from soap_handler.journal import Entry, Source, State, Tally
from soap_handler.notifications import Kind
from soap_handler.receive.identity import identified
from soap_handler.receive.receiver import read_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from soap_handler.accounts.authentication import Account
    from soap_handler.inbox.client import Inbox
    from soap_handler.inbox.messages import InboxMessage
    from soap_handler.journal import Beginning, Journal, Known
    from soap_handler.settings import ReconcileSettings

_AHEAD: Final = timedelta(seconds=1)  # what the clocks of two processes may differ by
_CHUNK_MESSAGES: Final = 500  # that share one look into the journal, and one commit
STOPPED: Final = "stopped before the end"
"""What the record of a run says that was told to end early."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. What was counted was done, whether or not an error followed."""

    tally: Tally
    error: InboxError | JournalUnavailableError | None = None
    stopped: bool = False


class Reconciler:
    """Compares the inbox of one account with the journal. One run at a time."""

    def __init__(
        self,
        account: Account,
        inbox: Inbox,
        journal: Journal,
        settings: ReconcileSettings,
        now: Callable[[], datetime] | None = None,
        *,
        chunk: int = _CHUNK_MESSAGES,
    ) -> None:
        """``chunk`` messages are compared at a time. Neither the inbox nor the journal is closed by this class.

        ``now`` takes the place of the journal's clock, for a test.
        """
        self._account = account
        self._inbox = inbox
        self._journal = journal
        self._settings = settings
        self._now = now or journal.now
        self._chunk = chunk
        self._writing = False
        self._under_way: tuple[int, _Progress] | None = None

    def abandon(self) -> None:
        """Write down the end of a run that is not waited for any longer; to other processes it would be under way.

        Raises:
            JournalUnavailableError: it could not be written.
        """
        if self._under_way is not None:
            number, progress = self._under_way
            self._journal.end_reconciliation(number, progress.tally, STOPPED)

    @property
    def writing(self) -> bool:
        """Whether the journal is being written to, and not only the inbox waited for."""
        return self._writing

    def rehearse(self, show: Callable[[Tally], None] = lambda _: None) -> Result:
        """Count what :meth:`run` would do, and write nothing at all."""
        progress = _Progress(show)
        error = self._go_through(progress, dry=True)
        return Result(progress.tally, error)

    def run(
        self,
        beginning: Beginning,
        *,
        show: Callable[[Tally], None] = lambda _: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Result | None:
        """Carry out one run and leave its record in the journal; ``None`` where another run makes it needless.

        ``show`` is told the counts from time to time; once ``stopping`` says so, the run ends.
        """
        progress = _Progress(show, stopping)
        try:
            number = self._journal.begin_reconciliation(beginning)
            if number is None:
                return None
            self._under_way = (number, progress)
            error = self._go_through(progress, dry=False)
            note = STOPPED if progress.stopped else None if error is None else str(error)
            self._journal.end_reconciliation(number, progress.tally, note)
        except JournalUnavailableError as unavailable:
            return Result(progress.tally, unavailable, progress.stopped)
        finally:
            self._under_way = None
        return Result(progress.tally, error, progress.stopped)

    def _go_through(self, progress: _Progress, *, dry: bool) -> InboxError | JournalUnavailableError | None:
        """Take the whole list, some messages at a time, then journal what is missing; return what went wrong."""
        began = self._now()  # what is done later than this may have been deleted after EMS wrote its list
        missing = Missing()
        broken: InboxError | None = None
        messages = self._inbox.messages(timeout=self._settings.timeout, largest=self._settings.max_size)
        try:
            with closing(messages):
                for chunk in _chunks(messages, self._chunk):
                    self._writing = True
                    if progress.stop():
                        break
                    progress.add(self._compare(chunk, began, missing, dry=dry))
                    self._writing = False
        except InboxError as error:
            broken = error  # what came before it is in the inbox all the same
        except JournalUnavailableError as error:
            return error
        finally:
            self._writing = False
        return self._recover(missing, progress, dry=dry) or broken

    def _compare(
        self, chunk: Sequence[InboxMessage | Unreadable], began: datetime, missing: Missing, *, dry: bool
    ) -> Tally:
        """Compare some messages; those that the journal lacks are added to what is missing."""
        entries: dict[str, Entry] = {}
        for entry in self._entries(chunk):
            entries.setdefault(entry.notification.key, entry)
        unreadable = sum(isinstance(message, Unreadable) for message in chunk)
        known = self._journal.known(list(entries))
        lacking = [entry for key, entry in entries.items() if key not in known]
        missing.add(lacking)
        lingering = [key for key, of in known.items() if _is_done(of, began, self._now())]
        again = len(lingering) if dry or not lingering else self._journal.delete_again(lingering, began)
        if again and not dry:
            telemetry.emit("messages_deleted_again", account=self._account.reference, messages=again)
        left = len(chunk) - unreadable - len(lacking) - again  # a message that is listed twice is one that is known
        return Tally(len(chunk), 0, again, left, unreadable)

    def _entries(self, messages: Iterable[InboxMessage | Unreadable]) -> Iterator[Entry]:
        moment = self._now()
        for message in messages:
            if isinstance(message, Unreadable):
                telemetry.emit("message_unreadable", account=self._account.reference, reason=message.reason)
                continue
            notification = read_notification(
                Kind.MESSAGE_RECEIVED,
                message.fields,
                account=self._account.reference,
                zone=self._account.time_zone,
                repaired=message.repaired,
            )
            envelope = None
            if notification.repaired:  # in its XML, or a value
                envelope = message.source
                notification = identified(notification, lambda: message.source)  # noqa: B023 - called at once
            yield Entry(notification, moment, Source.INBOX, envelope)

    def _recover(self, missing: Missing, progress: _Progress, *, dry: bool) -> JournalUnavailableError | None:
        """Journal what is missing, and count how much of it was still missing at that instant.

        It is stored, so handled, in the order in which EMS received it, whatever the order of the list.
        """
        in_order = missing.in_order()
        self._writing = True
        try:
            while entries := list(islice(in_order, self._chunk)):
                recovered = len(entries) if dry else self._journaled(entries)
                progress.add(Tally(0, recovered, 0, len(entries) - recovered, 0))
        except JournalUnavailableError as error:
            return error
        finally:
            self._writing = False
        return None

    def _journaled(self, entries: Sequence[Entry]) -> int:
        new = self._journal.record_all(entries)
        for entry, was_missing in zip(entries, new, strict=True):
            if was_missing:
                telemetry.emit("message_recovered", key=entry.notification.key)
        return sum(new)


class _Progress:
    """What a run has counted so far, and whether it is to go on."""

    def __init__(self, show: Callable[[Tally], None], stopping: Callable[[], bool] = lambda: False) -> None:
        self.tally = Tally()
        self.stopped = False
        self._show = show
        self._stopping = stopping

    def add(self, more: Tally) -> None:
        self.tally += more
        self._show(self.tally)

    def stop(self) -> bool:
        self.stopped = self._stopping()
        return self.stopped


def _is_done(known: Known, began: datetime, now: datetime) -> bool:
    """Whether a message was done before the run began. So was one of a time that has yet to come: the clock stepped."""
    in_time = known.done_at is not None and not began <= known.done_at <= now + _AHEAD
    return known.state is State.DONE and known.has_id and not known.is_ignored and in_time


def _chunks(messages: Iterator[InboxMessage | Unreadable], size: int) -> Iterator[list[InboxMessage | Unreadable]]:
    """Cut into lists. What came before an error is in the inbox all the same, so it is yielded before the error."""
    chunk: list[InboxMessage | Unreadable] = []
    try:
        for message in messages:
            chunk.append(message)
            if len(chunk) == size:
                full, chunk = chunk, []
                yield full
    except InboxError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
