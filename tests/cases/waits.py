"""Cases of waits without an end, and of ends that do not come."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

FROZEN: Final = "system/postgresql/test_frozen_sessions.py::"
ENDED: Final = "system/postgresql/test_transactions_ended.py::"
HANGING: Final = "dispatch/test_handlers_that_hang.py::"

WAITS: Final[tuple[Row, ...]] = (
    row(
        "A session of PostgreSQL is stopped while its connection looks healthy.",
        "A Server fault in time; the connection is dropped, said, and made anew.",
        f"{FROZEN}test_a_commit_is_refused_in_time_and_the_next_one_works",
        f"{FROZEN}test_a_service_refuses_goes_on_and_can_be_stopped",
        f"{FROZEN}test_a_pushing_connection_is_given_up",
    ),
    row(
        "A session is stopped while something is claimed, looked up, listened for or asked.",
        "Each kind of wait has a limit on our side.",
        f"{FROZEN}test_each_kind_of_wait_has_a_limit",
        f"{FROZEN}test_a_session_that_stops_in_a_query_ends_it",
        f"{FROZEN}test_a_listener_finds_another_connection",
    ),
    row(
        "The URL of the journal names another driver, whose waits have no limit of ours.",
        "It is refused, by the settings and by the journal.",
        "settings/test_journal_url.py::test_a_driver_whose_waits_have_no_limit_is_refused",
    ),
    row(
        "The whole server stands still when SIGTERM comes, new connections included.",
        "The drain ends within its limits.",
        f"{FROZEN}test_a_service_refuses_goes_on_and_can_be_stopped",
        "system/postgresql/test_postgresql_outages.py::test_a_service_can_stop_while_the_server_is_gone",
    ),
    row(
        "A sync of the disk does not return for 20 s.",
        "Callers get their fault within journal.timeout, those in the loop too; afterwards all works as before.",
        "fast/test_loop_takeover.py::test_callers_are_told_in_time",
        "journal/databases/test_stalled_disk.py::test_who_comes_later_need_not_wait_as_long",
        "journal/databases/test_stalled_disk.py::test_every_verb_that_waits_has_a_limit",
        "journal/databases/test_stalled_disk.py::test_a_claim_that_comes_too_late_is_given_back",
    ),
    row(
        "SIGTERM comes while no sync returns.",
        "Every join of the drain has a limit, and what was not committed is said.",
        "fast/test_loop_takeover.py::test_it_can_be_stopped_meanwhile",
        "journal/databases/test_stalled_disk.py::test_a_journal_can_be_closed_meanwhile",
    ),
    row(
        "Handlers hang, as many as there are threads.",
        "Each is said, and counts as a failed attempt; others are handled by further threads.",
        f"{HANGING}test_a_hanging_handler_is_reported_and_holds_up_no_other",
        f"{HANGING}test_a_late_return_changes_nothing",
        f"{HANGING}test_threads_that_come_back_do_not_add_up",
    ),
    row(
        "Nine times as many handlers hang as there are threads.",
        "It is said, the attempts count towards dead, and the process ends with 3 to be started again.",
        f"{HANGING}test_when_all_threads_hang_it_is_said_and_every_attempt_counts",
        "cli/test_serve_ends.py::test_when_all_handlers_hang_it_ends_to_be_started_again",
    ),
    row(
        "All handlers of one of several workers hang.",
        "The parent renews it; nothing is lost, and what hangs each time goes dead.",
        "system/workers/test_workers.py::test_a_worker_whose_handlers_all_hang_is_renewed",
    ),
    row(
        "A handler leaves a forked child that lives on.",
        "The child has neither the port nor a connection of EMS.",
        "cli/test_serve_ends.py::test_what_a_handler_leaves_behind_holds_up_nothing",
        "dispatch/test_handlers_that_fail.py::test_a_forked_child_that_returns_is_ended",
    ),
    row(
        "A thread or a child process of the handler's never ends.",
        "The service ends all the same, and says which threads were left.",
        "cli/test_serve_ends.py::test_what_a_handler_leaves_behind_holds_up_nothing",
    ),
    row(
        "The handler's module calls os.chdir.",
        "Journal and configuration stay where they were, after a reload too.",
        "cli/test_no_traceback.py::test_a_module_that_changes_the_working_directory_moves_nothing",
        "sinks/test_target.py::test_the_journal_stays_where_it_was_when_the_module_changes_the_directory",
    ),
    row(
        "A handler detaches, closes or invalidates its connection.",
        "The attempt is settled, and the thread takes the next one.",
        f"{ENDED}test_what_a_handler_does_to_its_connection_ends_no_thread",
        "dispatch/test_handlers_that_fail.py::test_a_handler_thread_outlives_whatever_a_handler_leaves",
    ),
    row(
        "A transactional handler commits behind a comment, or by the driver's own commit.",
        "It is found out: the attempt has failed, and says why.",
        f"{ENDED}test_an_end_that_is_hidden_is_found_out",
        f"{ENDED}test_past_sqlalchemy_from_the_first_statement",
    ),
    row(
        "A firewall forgets connections that are idle for some minutes.",
        "Ours to the inbox is closed before, and none is used again after a minute: no call fails for it.",
        "inbox/test_many_accounts.py::test_a_connection_that_was_idle_for_long_is_not_used_again",
        "inbox/test_many_accounts.py::test_connections_that_are_idle_are_closed_in_time",
        "sinks/test_amqp.py::test_a_connection_that_died_while_it_rested_is_no_failure",
    ),
)
