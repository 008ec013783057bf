"""Telemetry: the one list of events that the service emits. Logs, metrics and traces subscribe; none is here.

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
    """The room of the package that it is about."""
    name: str
    """The stable name, for programs that read logs."""
    level: Level
    fields: tuple[str, ...]
    """The fields that it may carry."""
    meaning: str
    """What happened, in one sentence for an operator; of a warning or an error, a second sentence says what to do."""

    @property
    def happened(self) -> str:
        """What happened."""
        return self.meaning.partition(". ")[0].removesuffix(".") + "."

    @property
    def action(self) -> str:
        """What to do about it; empty where nothing is to be done."""
        return self.meaning.partition(". ")[2]


Subscriber: TypeAlias = "Callable[[Event, Mapping[str, Any]], None]"

_subscribers: list[Subscriber] = []


def emit(name: str, **fields: Any) -> None:  # noqa: ANN401 - of each event's own types
    """Call every subscriber with an event.

    ``exc_info``, where given, is an exception, or true for the current one; a log shows its traceback.

    Raises:
        KeyError: the list below has no event of this name.
    """
    event = EVENTS[name]
    for subscriber in tuple(_subscribers):
        subscriber(event, fields)


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Call a function for each event, in the thread that emits it; return the function that ends the subscription.

    A function that is subscribed already is not called twice.
    """
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)


def _listed(room: str, *rows: tuple[str, Level, str, str]) -> Iterable[Event]:
    return (Event(room, name, level, tuple(fields.split()), meaning) for name, level, fields, meaning in rows)


# fmt: off
EVENTS: Final[Mapping[str, Event]] = {
    event.name: event
    for event in (
        *_listed(
            "cli",
            ("starting", "info", "address accounts handler journal", "The service starts with this configuration."),
            ("setting_renamed", "warning", "old new",
             "The configuration uses an old name of a setting, which still works. Write the new name."),
            ("exit_forced", "warning", "seconds threads",
             "A thread or child process of a handler kept the process from ending after the drain. Have it end."),
            ("no_inbox_configured", "warning", "account effect",
             "Messages of this account stay in EMS. Configure account.inbox to have them deleted."),
            ("inbox_without_tls", "warning", "account effect",
             "The inbox of this account is called over http. Set account.inbox.url to its https address."),
            ("anonymous_account", "warning", "account effect",
             "Pushes for this account are accepted without a password. A proxy must check the caller."),
        ),
        *_listed(
            "app",
            ("serving", "info", "port", "The service listens and accepts pushes."),
            ("stopped", "info", "answered reconciled handled deleted",
             "The drain is over; false names a part that was cut off, whose work goes on at the next start."),
            ("reloaded", "info", "accounts", "The new accounts and logins are in use."),
            ("reload_needs_restart", "warning", "settings",
             "Settings changed that a reload does not apply. Restart the service to use them."),
        ),
        *_listed(
            "settings",
            ("reload_refused", "error", "problem",
             "The new configuration is wrong and the old one stays in use. Correct it and reload again."),
            ("adoption_put_off", "warning", "reason",
             "Rows under a former name of an account keep it until the next reload. Reload when the journal works."),
            ("reload_broke", "error", "exc_info",
             "A reload failed by a defect and the old configuration stays in use. Please report the traceback."),
        ),
        *_listed(
            "server",
            ("worker_started", "info", "worker process", "A worker process was started."),
            ("worker_ended", "info", "worker process code", "A worker process ended after its drain."),
            ("worker_lost", "error", "worker process code seconds",
             "A worker process died; another one starts after the pause. If this repeats, look for its last events."),
            ("worker_stands_still", "error", "worker process seconds",
             "The I/O loop of a worker turns no more. Under systemd the watchdog restarts the service."),
            ("worker_broke", "error", "error exc_info",
             "A worker process ended by a defect. Please report the traceback."),
            ("console_serving", "info", "port", "The console answers at this port of console.host."),
            ("console_started", "info", "process", "The process of the console was started."),
            ("console_lost", "error", "process code seconds",
             "The process of the console died; another one starts after the pause. Pushes do not depend on it."),
            ("worker_not_reached", "info", "error",
             "A worker process was ending and did not receive the request to reload."),
            ("workers_killed", "error", "seconds",
             ("Worker processes did not drain in time and were killed; their leases expire. "
              "Raise server.drain_timeout.")),
            ("parent_lost", "info", "error", "The supervisor process is gone, so this worker drains."),
            ("connections_cut", "warning", "reason times",
             "Connections beyond a limit were closed. Raise the limit if the callers are legitimate."),
            ("open_files_not_raised", "warning", "reason limit needed",
             "The system refused a higher limit of open files. Raise it (LimitNOFILE, ulimit -n)."),
            ("open_files_limited", "warning", "limit needed connections",
             "The limit of open files is too low for server.connections. Raise it (LimitNOFILE, ulimit -n)."),
        ),
        *_listed(
            "web",
            ("address_refused", "warning", "caller size times count",
             ("A caller was refused, as server.allow_from does not list its address. "
              "List it if it is EMS or your proxy.")),
            ("request_refused", "warning", "reason caller size times",
             "A request was refused for this reason. If it came from EMS, ask soap-handler explain about a capture."),
        ),
        *_listed(
            "console",
            ("console_broke", "error", "exc_info",
             "The console met a defect; pushes do not notice it. Please report the traceback."),
            ("console_login", "info", "user caller", "A user logged in to the console."),
            ("console_login_refused", "warning", "caller times",
             "A login to the console had a wrong name or password. If it repeats, find out who calls from there."),
            ("console_refused", "warning", "reason caller user times",
             "The console refused a request by this guard. soap-handler docs console_access says what each asks for."),
            ("console_action", "info", "action user notifications",
             "An operator acted on notifications in the console; soap-handler journal audit has more."),
        ),
        *_listed(
            "faces",
            ("request_failed", "error", "error place",
             "A request met a defect and got a Server fault, so EMS pushes again. Please report the place."),
        ),
        *_listed(
            "receive",
            ("authentication_failed", "warning", "caller account presented operation size times count",
             "A push had wrong credentials. If EMS sent it, compare account.push and push_tokens with Web SMS."),
            ("credentials_unchecked", "warning", "caller account presented operation size times",
             ("Too many wrong ones came, so these were not checked and EMS is to push again. "
              "Block the caller that guesses.")),
        ),
        *_listed(
            "journal",
            ("journal_made", "info", "journal",
             "A new, empty journal was made. If there was one, look at journal.url, and whether its -wal was lost."),
            ("journal_unavailable", "error", "reason requests times",
             "Commits failed and EMS was told to push again; said once a minute. Check the disk or the database."),
            ("push_accepted", "debug", "key result source repaired others",
             "A notification is on disk; result says whether it was new (only where log.level is debug)."),
            ("journal_recovered", "info", "seconds", "Commits work again, after so many seconds of failures."),
            ("journal_connection_lost", "info", "error", "A database connection was lost and is opened again."),
            ("journal_session_silent", "error", "seconds",
             "PostgreSQL gave no answer in time; its connection was closed. Look for a session or a proxy that hangs."),
            ("journal_pool_small", "warning", "sessions needed",
             "The pooler before PostgreSQL gives fewer sessions than the service holds. Enlarge its pool."),
            ("journal_file_lost", "error", "file what saved",
             "The journal's file or its -wal was taken away; pushes get Server faults. Put it back, or restart anew."),
            ("journal_file_back", "warning", "file",
             ("There is a journal at its place again, and it is used. "
              "If it is an older copy, expect what it lacks once more.")),
            ("journal_log_grows", "warning", "megabytes",
             "A reader holds back the write-ahead log (-wal), which has doubled. End what reads the journal for long."),
            ("journal_not_closed", "error", "seconds",
             ("The journal did not answer during the drain; what was unconfirmed is pushed again. "
              "Check disk and database.")),
            ("journal_not_durable", "warning", "reason",
             "PostgreSQL confirms commits before they are on disk. Set fsync = on."),
            ("journal_listener_lost", "warning", "error seconds",
             ("The LISTEN connection was lost; commits are noticed later until it is back. "
              "If it repeats, check the network.")),
            ("journal_listener_broke", "error", "error exc_info",
             "The LISTEN thread met a defect and starts again. Please report the traceback."),
            ("journal_listener_failed", "error", "error exc_info",
             "A part of the service failed when it was told of a commit. Please report the traceback."),
            ("database_clock_jumped", "warning", "seconds",
             "PostgreSQL's clock was moved; what dead processes had begun waits a lease time longer. Keep it by NTP."),
            ("transaction_connection_lost", "info", "error",
             "The connection of a transactional handler was lost; the attempt counts as failed."),
            ("transaction_not_ended", "error", "error",
             "A transactional handler that timed out still holds its transaction. Check why the handler hangs."),
            ("purged", "info", "notifications kept_days",
             "Retention deleted done notifications that are older than journal.retention."),
            ("purge_waits_for_journal", "warning", "reason",
             "Retention could not reach the journal and tries again later. See journal_unavailable."),
            ("purge_broke", "error", "exc_info",
             "Retention met a defect and continues in the next round. Please report the traceback."),
        ),
        *_listed(
            "dispatch",
            ("handler_failed", "warning", "key attempt error at",
             ("A handler raised an exception at this place and is called again. "
              "Use soap-handler journal show to see why.")),
            ("sink_paused", "error", "sink reason seconds for_good",
             ("A sink's destination is out of order; deliveries wait, and use no attempt. "
              "Mend it; sink test tells if it works.")),
            ("sink_resumed", "info", "sink seconds",
             "A sink's destination works again, after so many seconds."),
            ("handler_hangs", "error", "key seconds hanging",
             ("A handler exceeded handler.timeout and blocks its thread; the attempt failed. "
              "Give its calls time limits.")),
            ("dispatch_stands_still", "error", "hanging",
             ("Every handler thread hangs, so the process ends with code 3, to be started again. "
              "Find what they wait for.")),
            ("handler_thread_not_started", "error", "error",
             "The system refused a handler thread; it is tried again. Raise the limit (TasksMax, ulimit -u)."),
            ("handler_not_begun", "warning", "key reason times",
             "A handler was not called, as the journal was out of reach; it is no attempt. See journal_unavailable."),
            ("run_broke", "error", "key at error",
             "A run failed outside of the handler's call; the attempt failed. Look at what the handler does."),
            ("handler_returned_late", "warning", "key",
             ("A handler returned after its timeout; the result does not count. "
              "Raise handler.timeout if it needs the time.")),
            ("notification_dead", "error", "key attempts",
             "All attempts failed. Use soap-handler journal show to see why, and journal retry afterwards."),
            ("transaction_failed", "warning", "key attempt reason",
             "The transaction of a handler was not committed; the attempt counts as failed. Look at the reason."),
            ("claim_took_too_long", "warning", "notifications",
             "Claims came too late to be handled within their lease, and are made again. Check the journal's disk."),
            ("claims_not_released", "warning", "notifications reason",
             "Claims could not be released; they become due when their lease expires. See journal_unavailable."),
            ("lease_lost", "warning", "key step",
             ("An attempt ended after its lease expired, so its result does not count. "
              "If it repeats, look at CPU and disk.")),
            ("result_adopted", "info", "key", "A result was written under a newer lease of the same notification."),
            ("settling_failed", "error", "key error",
             "A result could not be written to the journal and is written again later. See journal_unavailable."),
            ("dispatch_waits_for_journal", "warning", "reason seconds",
             "Claims fail and are tried again after the pause. See journal_unavailable."),
            ("dispatch_broke", "error", "seconds exc_info",
             "Dispatch met a defect and continues after the pause. Please report the traceback."),
        ),
        *_listed(
            "inbox",
            ("delete_failed", "warning", "account messages reason retry_at",
             ("EMS did not confirm a delete; it is retried at the given time. "
              "If it lasts, run soap-handler check --inbox.")),
            ("inbox_refused", "error", "account reason refusals pause_seconds",
             "EMS refused the inbox login; calls pause. Check account.inbox, then reload."),
            ("inbox_accepted_again", "info", "account refusals", "EMS accepts the inbox login again."),
            ("inbox_login_corrected", "info", "account",
             "The inbox login is not the one that EMS refused; the deletes that waited for it are made now."),
            ("inbox_thread_not_started", "error", "error",
             "The system refused a thread for calls to inboxes; they go on in others. Raise TasksMax or ulimit -u."),
            ("inbox_recovered", "info", "account seconds failures",
             "The inbox confirms calls again, after so many seconds of failures."),
            ("inbox_taken_over", "info", "account", "A reload changed the login of this inbox."),
            ("deletion_waits_for_journal", "warning", "account reason times",
             "Deletes wait for the journal; said once a minute, of one account. See journal_unavailable."),
            ("deletion_unsettled", "warning", "account reason deleted",
             ("EMS confirmed deletes that the journal did not take yet; they are written later. "
              "See journal_unavailable.")),
            ("deletion_not_ended", "warning", "account seconds",
             ("A delete was still running when the drain ended. "
              "Nothing need be done: it is repeated at the next start.")),
            ("deletion_broke", "error", "account exc_info",
             "Deletion met a defect and continues after the pause. Please report the traceback."),
            ("reconciled", "info", "account known inbox recovered deleted_again left_alone unreadable",
             "An inbox was compared with the journal, for the first time, after a failure, or with a find."),
            ("reconciled_again", "debug", "account known inbox recovered deleted_again left_alone unreadable",
             "An inbox was compared with the journal once more, and nothing had been missed."),
            ("message_recovered", "warning", "key",
             "A message was in the inbox whose push never arrived. If this repeats, check the way from EMS."),
            ("messages_deleted_again", "warning", "account messages",
             ("The inbox still held messages that were done; they are deleted again. "
              "If it repeats, ask the support of EMS.")),
            ("message_unreadable", "error", "account reason",
             "A message in the inbox cannot be read and stays there. Look at it in Web SMS."),
            ("reconciliation_needless", "debug", "account",
             "Another process has just compared this inbox, so this run was skipped."),
            ("reconciliation_failed", "warning", "account reason",
             "An inbox could not be compared; the next run tries again. If it lasts, run soap-handler check --inbox."),
            ("reconciliation_left_open", "warning", "account reason",
             "The end of a reconciliation could not be recorded. See journal_unavailable."),
            ("reconciliation_broke", "error", "account exc_info",
             "A reconciliation met a defect; the next run tries again. Please report the traceback."),
        ),
        *_listed(
            "fast",
            ("intake_failed", "error", "error",
             "The fast path met a defect and the plain path took the request. Please report the error."),
            ("loop_taken_over", "error", "seconds",
             "The disk stood still during a commit, and another thread goes on with the loop. Check the disk."),
            ("reply_failed", "error", "error",
             "An answer could not be sent, so EMS pushes again. If it repeats, look at the proxy and the network."),
        ),
        *_listed(
            "ems",
            ("push_given_up", "warning", "kind sends reason", "The simulated EMS gave up a push. Look at the reason."),
        ),
    )
}
"""Every event, by name."""
# fmt: on
