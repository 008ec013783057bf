"""Cases of logins: right credentials that must not be refused, and wrong ones that must not be cheap."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

WIRE: Final = "accounts/test_logins.py::"
HASHES: Final = "accounts/test_passwords.py::"
THROTTLE: Final = "accounts/test_throttle.py::"
GATE: Final = "inbox/test_login_gate.py::"

LOGINS: Final[tuple[Row, ...]] = (
    row(
        "16 right pushes come at once after a start, and the password is stored as a hash.",
        "All are taken: equal pairs share one check.",
        f"{WIRE}test_many_right_pushes_at_once_after_a_start_are_all_taken",
        f"{HASHES}test_equal_pairs_in_flight_share_one_check",
        f"{HASHES}test_pairs_that_differ_wait_for_their_turn",
    ),
    row(
        "Guessers come 280 times a second while EMS's pair is not known yet.",
        "EMS gets a Server fault at most, upon which it comes again, and is then known.",
        f"{WIRE}test_a_guesser_behind_the_same_address_does_not_keep_ems_out_after_a_start",
        f"{THROTTLE}test_guesses_that_come_once_are_not_checked",
        f"{THROTTLE}test_over_the_budget_a_pair_that_comes_again_is_checked_once_a_second",
        f"{THROTTLE}test_the_pair_that_was_presented_most_often_has_the_first_call",
    ),
    row(
        "Guessers come while EMS's pair is known.",
        "EMS is answered at once, and hardly any hash is computed.",
        f"{WIRE}test_a_flood_of_wrong_passwords_does_not_slow_the_known_right_one",
        f"{WIRE}test_wrong_ones_are_slowed_beyond_the_budget_and_right_ones_never",
    ),
    row(
        "Credentials cannot be checked now: too many others are.",
        "A Server fault or 503 in each version of the API, never a refusal.",
        "faces/test_credentials.py::test_what_cannot_be_checked_now_is_asked_for_again",
        f"{HASHES}test_what_must_not_be_checked_is_neither_right_nor_wrong",
        f"{HASHES}test_a_queue_that_is_full_is_no_refusal",
    ),
    row(
        "A guesser compares how long an unknown account takes with a known one.",
        "Words, budget, delay and the number of checks are the same.",
        f"{WIRE}test_an_unknown_account_is_slowed_like_a_known_one",
        f"{HASHES}test_every_refusal_takes_the_same_number_of_checks",
        f"{HASHES}test_hashes_of_other_costs_cost_the_same_everywhere",
        "accounts/test_accounts.py::test_every_check_does_the_same_number_of_comparisons",
    ),
    row(
        "A guesser pipelines, or comes over many connections at once.",
        "The delay is that of one after the other, and holds no thread.",
        f"{THROTTLE}test_wrong_answers_leave_one_after_the_other",
        f"{WIRE}test_a_later_answer_does_not_cut_off_the_delay_of_an_earlier_one",
        f"{WIRE}test_many_slow_answers_hold_no_thread",
    ),
    row(
        "The password of an inbox is wrong; four workers delete and reconcile, and are restarted.",
        "One gate in the journal: EMS hears of it once, then ever more slowly.",
        f"{GATE}test_four_processes_with_a_wrong_password_are_refused_once",
        f"{GATE}test_refusals_double_the_pause_up_to_an_hour_for_all",
        f"{GATE}test_when_the_pause_is_over_one_finds_out",
        "journal/inbox/test_inbox_gates.py::test_of_many_that_come_at_once_one_enters",
    ),
    row(
        "The login of an inbox is corrected, and the service restarted.",
        "The refused deletes are made at once.",
        f"{GATE}test_a_corrected_login_frees_the_refused_deletes_at_once",
        f"{GATE}test_a_corrected_login_is_tried_at_once",
    ),
    row(
        "The login of an inbox is corrected, and the configuration reloaded.",
        "The refused deletes are made at once, and a reconciliation too.",
        "server/test_reload.py::test_a_new_login_of_the_inbox_is_used_at_once",
        "inbox/reconcile/test_reconcile_schedule.py::test_a_new_login_is_taken_up_with_a_run",
    ),
    row(
        "The account at EMS is live again; nothing in the settings has changed.",
        "soap-handler journal release opens the gate.",
        f"{GATE}test_a_person_opens_a_gate_and_frees_what_waits",
        "cli/test_journal.py::test_release_opens_the_gates_of_refused_inbox_logins",
    ),
)
