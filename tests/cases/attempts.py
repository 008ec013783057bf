"""Cases of attempts that never were: what was claimed, and whose handler was not called."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

FAIL: Final = "dispatch/test_handlers_that_fail.py::"

ATTEMPTS: Final[tuple[Row, ...]] = (
    row(
        "One message kills the process each time; 146 others are claimed beside it.",
        "It alone goes dead; each of the others is handled at its first counted attempt.",
        "dispatch/test_crashes.py::test_only_what_kills_the_process_goes_dead",
        f"{FAIL}test_what_kills_the_process_each_time_goes_dead",
    ),
    row(
        "A lease runs out before the handler was called.",
        "That is no attempt: one counts when its handler begins.",
        "journal/test_attempts.py::test_an_attempt_counts_when_it_ends_or_is_begun",
        f"{FAIL}test_what_was_claimed_when_a_process_died_is_no_attempt",
    ),
    row(
        "After a crash, what was claimed is claimed again.",
        "The suspects are called one at a time; others do not wait for them.",
        f"{FAIL}test_suspects_are_called_one_at_a_time",
        "journal/test_attempts.py::test_suspects_are_claimed_as_many_as_are_wanted",
        "journal/test_attempts.py::test_a_suspect_that_was_begun_and_given_back_was_no_attempt",
    ),
    row(
        "A transactional handler finds no free connection, again and again.",
        "That is no attempt; it goes on when there is one.",
        "system/postgresql/test_transactions_ended.py::test_a_database_without_a_free_connection_is_no_attempt",
        "dispatch/test_journal_out_of_reach.py::test_a_journal_out_of_reach_is_no_attempt",
    ),
    row(
        "A notification is ignored, or dead without a call.",
        "Its history says which, and nothing counts as handled.",
        "journal/test_attempts.py::test_what_no_handler_was_called_for_is_no_attempt",
    ),
)
