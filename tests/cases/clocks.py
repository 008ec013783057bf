"""Cases of clocks: the wall clock steps, and those of two hosts differ."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

STEPS: Final = "journal/test_clock_steps.py::"
DISPATCH: Final = "dispatch/test_clock_steps_in_dispatch.py::"

CLOCKS: Final[tuple[Row, ...]] = (
    row(
        "The clock goes one hour ahead while a handler runs.",
        "The handler is not run beside itself, and the others go on.",
        f"{DISPATCH}test_a_handler_is_not_run_beside_itself_and_the_others_go_on",
        f"{DISPATCH}test_a_lease_that_seems_to_have_run_out_is_not_claimed_by_who_works_on_it",
        f"{STEPS}test_what_this_process_runs_it_does_not_claim",
    ),
    row(
        "The clock goes back one hour: retries and deletes are due.",
        "They are made after their pause, as by a clock that was left alone.",
        f"{DISPATCH}test_a_retry_comes_after_its_pause",
        f"{STEPS}test_what_waits_is_due_after_a_step_and_what_is_leased_is_not",
        "inbox/test_circuit_breaker.py::test_a_step_of_the_wall_clock_moves_no_pause",
    ),
    row(
        "The clock goes back one hour after a refused login of an inbox.",
        "The gate opens after its pause; one that opens far in the future was never closed for so long.",
        "inbox/test_login_gate.py::test_a_pause_of_a_clock_that_was_wrong_is_over",
    ),
    row(
        "The clock goes back one hour, and reconciliations have ended in what is now the future.",
        "A record from the future makes no run needless.",
        f"{STEPS}test_a_run_from_the_future_makes_none_needless",
        "inbox/reconcile/test_reconcile_schedule.py::test_a_run_in_its_turn_waits_half_an_interval",
    ),
    row(
        "Very many wait while the clock is stepped.",
        "A claim takes the same work: due times are not of the wall clock, and only the partial index is read.",
        f"{STEPS}test_what_waits_is_due_after_a_step_and_what_is_leased_is_not",
        "journal/test_claim_cost.py::test_a_claim_takes_no_more_steps_after_a_long_history",
        "journal/test_claim_cost.py::test_who_comes_first_takes_no_more_steps_before_a_long_backlog",
    ),
    row(
        "The clock was two days ahead once, and is right again.",
        "Reconciliation goes on; what was done then and is still in the inbox is deleted; after a start all is due.",
        f"{STEPS}test_a_run_from_the_future_makes_none_needless",
        f"{STEPS}test_what_was_done_in_the_future_counts_as_done_before",
        f"{STEPS}test_after_a_start_of_the_machine_everything_is_due",
        f"{STEPS}test_without_a_name_of_the_start_the_wall_clock_serves",
    ),
    row(
        "Whatever the journal says of earlier runs, the service starts.",
        "One look at the inbox is made at the start.",
        "inbox/reconcile/test_reconcile_schedule.py::test_there_is_a_run_at_the_start",
        "inbox/reconcile/test_reconcile_schedule.py::test_a_start_soon_after_another_has_a_run_too",
    ),
    row(
        "Due dates are 30 days ahead, for whatever reason.",
        "A person releases them: soap-handler journal release.",
        f"{STEPS}test_a_person_releases_what_waits",
        f"{STEPS}test_a_blocked_one_is_not_released",
        "cli/test_journal.py::test_release_makes_due_what_waits_for_a_later_time",
    ),
    row(
        "The clock steps while the service drains.",
        "The end is measured by the monotonic clock: no request is cut off, and nothing is prolonged.",
        "server/test_server.py::test_the_end_of_a_drain_is_not_measured_by_the_wall_clock",
    ),
    row(
        "The clock is 40 days ahead for a minute.",
        "Nothing is purged: only time that a process saw pass makes a row old.",
        f"{STEPS}test_a_wall_clock_that_is_wrong_for_a_minute_purges_nothing",
        f"{STEPS}test_only_time_that_surely_passed_makes_a_row_old",
        f"{STEPS}test_the_number_of_a_purged_row_makes_no_other_old",
    ),
    row(
        "The clocks of two hosts are 60 s apart, or 5 s with short leases.",
        "Both share the database's time: no lease of the other is taken for expired.",
        f"{STEPS}test_processes_whose_wall_clocks_differ_share_one_time",
    ),
    row(
        "Two hosts whose clocks differ store and claim messages of one originator.",
        "They are handled in the order of storing, never two at once.",
        f"{STEPS}test_hosts_whose_clocks_differ_keep_the_order",
    ),
    row(
        "The clock of the database itself is moved by an hour.",
        "Nothing is handled twice, and nothing waits for it.",
        f"{STEPS}test_a_jump_of_the_database_s_clock_doubles_and_stops_nothing",
    ),
    row(
        "journal.retention is shorter than the 72 hours for which EMS pushes again.",
        "What is done stays for four days all the same, and check says so.",
        f"{STEPS}test_a_wall_clock_that_is_wrong_for_a_minute_purges_nothing",
        "cli/test_init_and_check.py::test_check_warns_of_a_retention_that_is_shorter_than_ems_pushes",
    ),
    row(
        "Somebody reads the wall clock where time is measured.",
        "A rule of the house finds it.",
        "test_house_rules.py::test_the_wall_clock_is_read_for_people_alone",
    ),
)
