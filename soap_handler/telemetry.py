"""Telemetry: the one list of events that the service can tell of. Logs, metrics and traces subscribe; none is here.

An event has a stable name, a level and a room. Fields hold no password and no message body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Level: TypeAlias = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event."""

    room: str
    """The room of the package that tells of it."""
    name: str
    """The stable name, for programs that read logs."""
    level: Level
    fields: tuple[str, ...]
    """The fields that it may carry."""
    meaning: str
    """What happened, in one sentence for an operator."""


Subscriber: TypeAlias = "Callable[[Event, Mapping[str, Any]], None]"

_subscribers: list[Subscriber] = []


def emit(name: str, **fields: Any) -> None:  # noqa: ANN401 - of each event's own types
    """Tell every subscriber of an event.

    ``exc_info``, where it is given, is an exception or true for the present one; a log shows its traceback.

    Raises:
        KeyError: the list below has no event of this name.
    """
    event = EVENTS[name]
    for subscriber in tuple(_subscribers):
        subscriber(event, fields)


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Have a function called for each event, in the thread that emits it; return what ends the subscription.

    A function that is subscribed already is not called twice.
    """
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)


def _listed(room: str, *rows: tuple[str, Level, str, str]) -> Iterable[Event]:
    return (Event(room, name, level, tuple(fields.split()), meaning) for name, level, fields, meaning in rows)


EVENTS: Final[Mapping[str, Event]] = {
    event.name: event
    for event in (
        *_listed(
            "cli",
            ("starting", "info", "address accounts handler journal", "The service is being built."),
            (
                "setting_renamed",
                "warning",
                "old new",
                "The configuration uses an old name. Write the new one; the old one still works.",
            ),
            ("no_inbox_configured", "warning", "account effect", "Messages of this account stay in the EMS inbox."),
            ("anonymous_account", "warning", "account effect", "Pushes for this account are taken without a password."),
        ),
        *_listed(
            "app",
            ("serving", "info", "port", "The service listens and takes pushes."),
            ("stopped", "info", "answered reconciled handled deleted", "The drain is over; false names what was cut."),
            ("reloaded", "info", "accounts", "New accounts and logins are in use."),
            ("reload_needs_restart", "warning", "settings", "These settings changed and wait for a restart."),
        ),
        *_listed(
            "settings",
            ("reload_refused", "error", "problem", "The configuration is wrong; the one in use stays."),
            ("reload_broke", "error", "exc_info", "A reload failed by a defect; the configuration in use stays."),
        ),
        *_listed(
            "server",
            ("worker_started", "info", "worker process", "A worker process was forked."),
            ("worker_ended", "info", "worker process code", "A worker process ended after a drain."),
            ("worker_lost", "error", "worker process code seconds", "A worker died; another follows after the pause."),
            ("worker_broke", "error", "error exc_info", "A worker ended by a defect."),
            ("worker_not_reached", "info", "error", "A worker that is ending could not be told to reload."),
            ("workers_killed", "error", "seconds", "Workers did not drain in time and were killed."),
            ("parent_lost", "info", "error", "The supervisor is gone; this worker drains."),
            ("connections_cut", "warning", "reason times", "Connections beyond a limit were closed."),
            ("open_files_not_raised", "warning", "reason limit needed", "The system refused a higher limit on files."),
            ("open_files_limited", "warning", "limit needed connections", "Fewer connections than set are possible."),
        ),
        *_listed(
            "web",
            ("address_refused", "warning", "caller times count", "A caller is outside of server.allow_from."),
        ),
        *_listed(
            "faces",
            ("request_failed", "error", "error place", "A request met a defect and got a Server fault; EMS retries."),
        ),
        *_listed(
            "receive",
            (
                "authentication_failed",
                "warning",
                "caller account operation times count",
                "A push came with wrong, missing or unknown credentials.",
            ),
        ),
        *_listed(
            "journal",
            ("journal_unavailable", "error", "reason requests", "A commit failed; EMS was told to push again."),
            ("journal_connection_lost", "info", "error", "A database connection was dropped and is made anew."),
            ("journal_not_durable", "warning", "reason", "PostgreSQL answers before data is on disk."),
            ("journal_listener_lost", "warning", "error seconds", "LISTEN was cut; the connection is made again."),
            ("journal_listener_broke", "error", "error exc_info", "LISTEN met a defect and is made again."),
            ("journal_listener_failed", "error", "error exc_info", "A part that is told of commits failed."),
            ("transaction_connection_lost", "info", "error", "The connection of a handler's transaction was lost."),
            ("transaction_not_ended", "error", "error", "A handler that was given up still holds its transaction."),
            ("purged", "info", "notifications kept_days", "Old done notifications were deleted."),
            ("purge_waits_for_journal", "warning", "reason", "Retention could not reach the journal."),
            ("purge_broke", "error", "exc_info", "Retention met a defect; the next round goes on."),
        ),
        *_listed(
            "dispatch",
            ("handler_failed", "warning", "key attempt error at", "A handler raised; it is called again later."),
            ("handler_hangs", "error", "key seconds hanging", "A handler overran handler.timeout and was given up."),
            ("handler_returned_late", "warning", "key", "A handler that was given up has returned."),
            ("notification_dead", "error", "key attempts", "All attempts failed; a person must look."),
            ("transaction_failed", "warning", "key attempt reason", "A handler's transaction was not committed."),
            ("claim_took_too_long", "warning", "notifications", "Claims came too late to be handled in their lease."),
            ("claims_not_released", "warning", "notifications reason", "Claims stay leased until the lease runs out."),
            ("lease_lost", "warning", "key step", "An attempt ended after its lease; its result does not count."),
            ("result_adopted", "info", "key", "A result reached the disk under a newer lease."),
            ("settling_failed", "error", "key error", "A result could not be written; it is tried again."),
            ("dispatch_waits_for_journal", "warning", "reason seconds", "Claims fail; dispatch waits."),
            ("dispatch_broke", "error", "seconds exc_info", "Dispatch met a defect and goes on after a pause."),
        ),
        *_listed(
            "inbox",
            ("delete_failed", "warning", "account messages reason retry_at", "EMS did not confirm a delete."),
            ("inbox_refused", "error", "account reason refusals pause_seconds", "EMS refused the inbox login."),
            ("inbox_accepted_again", "info", "account refusals", "EMS takes the inbox login again."),
            ("inbox_taken_over", "info", "account", "A reload changed the login of this inbox."),
            ("deletion_waits_for_journal", "warning", "account reason seconds", "Deletes wait for the journal."),
            (
                "deletion_unsettled",
                "warning",
                "account reason deleted",
                "Confirmed deletes are not in the journal yet.",
            ),
            ("deletion_not_ended", "warning", "account seconds", "A delete was still under way when time ran out."),
            ("deletion_broke", "error", "account seconds exc_info", "Deleting met a defect and goes on."),
            (
                "reconciled",
                "info",
                "account known inbox recovered deleted_again left_alone unreadable",
                "An inbox was compared with the journal.",
            ),
            ("message_recovered", "warning", "key", "The inbox held a message whose push never arrived."),
            ("messages_deleted_again", "warning", "account messages", "Done messages were still in the inbox."),
            ("message_unreadable", "error", "account reason", "A message of the inbox cannot be read; it stays there."),
            ("reconciliation_needless", "debug", "account", "Another process has just compared this inbox."),
            ("reconciliation_failed", "warning", "account reason", "An inbox could not be compared."),
            ("reconciliation_left_open", "warning", "account reason", "The end of a comparison was not written down."),
            ("reconciliation_broke", "error", "account exc_info", "A comparison met a defect; the next one follows."),
        ),
        *_listed(
            "fast",
            ("intake_failed", "error", "error", "The quick way met a defect; the general way took the request."),
            ("reply_failed", "error", "error", "An answer could not be sent; the connection was closed."),
        ),
        *_listed(
            "ems",
            ("push_given_up", "warning", "kind sends reason", "The simulated EMS gave a push up."),
        ),
    )
}
"""Every event, by name."""
