"""Cases of what stores the journal: its files, its database, its names."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

FILES: Final = "journal/databases/test_journal_files.py::"
PROVES: Final = "cli/test_check_proves.py::"
POOLER: Final = "system/postgresql/test_pooler.py::"
NAMES: Final = "journal/test_account_names.py::"
URL: Final = "settings/test_journal_url.py::"

STORAGE: Final[tuple[Row, ...]] = (
    row(
        "The journal's file is deleted, moved or cut off under the running service.",
        "The next push gets a Server fault, it is said loudly, and no empty journal takes its place.",
        f"{FILES}test_no_commit_is_confirmed_without_a_file",
        f"{FILES}test_a_file_that_is_back_is_used",
        f"{FILES}test_a_deleted_file_is_saved_beside_it",
    ),
    row(
        "The journal's file is taken away while nothing is pushed.",
        "It is noticed within about a second.",
        "dispatch/test_journal_out_of_reach.py::test_a_file_that_is_taken_away_is_noticed_while_nothing_comes",
    ),
    row(
        "The file is replaced by a copy, or an older copy is written over it.",
        "The same; then the copy is opened, and what it lacks is new.",
        f"{FILES}test_a_restored_copy_is_opened",
        f"{FILES}test_an_older_copy_that_is_written_over_the_file_is_noticed",
        f"{FILES}test_an_older_copy_of_the_same_size_is_noticed_by_its_mark",
        f"{FILES}test_only_a_journal_is_opened_in_its_place",
    ),
    row(
        "The write-ahead log is deleted.",
        "What it held is written into the file; it is opened again when every process knows.",
        f"{FILES}test_a_deleted_log_loses_nothing",
        f"{FILES}test_a_log_that_is_gone_is_opened_again_when_every_process_knows",
    ),
    row(
        "The file goes away in the transaction of a handler.",
        "The attempt has failed.",
        f"{FILES}test_a_transaction_of_a_handler_is_not_trusted_either",
    ),
    row(
        "The journal is made under any umask.",
        "File, log and index are for their owner alone from the first byte.",
        f"{FILES}test_the_files_are_the_owners_alone",
        f"{FILES}test_a_new_file_is_made_private_before_it_is_opened",
    ),
    row(
        "A command is run where there is no journal.",
        "Only serve, migrate and demo make one.",
        f"{PROVES}test_only_serve_migrate_and_demo_make_a_journal",
        f"{PROVES}test_check_makes_no_journal_and_says_that_serve_can",
        f"{FILES}test_who_only_looks_makes_no_journal",
        "cli/test_journal.py::test_no_journal_is_made_by_looking",
    ),
    row(
        "journal.url has a relative path.",
        "It is relative to the configuration file, and shown absolute.",
        f"{URL}test_a_relative_journal_is_beside_the_configuration",
        f"{URL}test_a_relative_configuration_gives_an_absolute_journal",
        f"{URL}test_the_environment_alone_means_the_working_directory",
        f"{URL}test_the_journal_of_an_earlier_release_is_not_passed_over",
    ),
    row(
        "The journal can be read and not written.",
        "check says so after a try that is rolled back, and as whom; serve does not say that it serves.",
        f"{PROVES}test_a_journal_that_cannot_be_written_is_wrong_and_serve_does_not_start",
        f"{PROVES}test_a_journal_that_is_there_is_written_to_and_left_as_it_was",
        f"{PROVES}test_a_folder_that_is_not_there_is_wrong",
    ),
    row(
        "A role of PostgreSQL lacks rights: on tables, attempt among them, or sequences.",
        "Each missing right is named in the words of GRANT.",
        f"{PROVES}test_each_missing_right_of_a_role_is_named",
        f"{PROVES}test_a_role_that_may_not_make_tables_is_told_so",
    ),
    row(
        "The database is in LATIN1, EUC_JP or SQL_ASCII.",
        "It is refused at the start with a sentence.",
        f"{POOLER}test_a_database_in_another_encoding_is_refused",
        f"{POOLER}test_the_environments_encoding_does_not_count",
    ),
    row(
        "One value cannot be stored: a NUL, an absurd length, a typographic quote in an error's text.",
        "It blocks no other: a batch splits on every error, and odd texts are stored.",
        "journal/test_group_commit.py::test_a_request_at_fault_spoils_no_other",
        "journal/test_group_commit.py::test_a_value_beyond_a_limit_of_the_database_spoils_no_other",
        "journal/test_group_commit.py::test_of_entries_that_come_together_only_the_bad_one_is_refused",
        "dispatch/test_results.py::test_one_that_cannot_be_stored_keeps_no_other_from_the_disk",
        "journal/test_odd_texts.py::test_any_text_survives",
        f"{POOLER}test_the_environments_encoding_does_not_count",
    ),
    row(
        "journal.url names memory in any spelling.",
        "It is refused.",
        f"{URL}test_a_journal_that_keeps_nothing_is_refused",
        f"{FILES}test_a_url_that_keeps_nothing_is_refused",
    ),
    row(
        "PgBouncer pools transactions before the database.",
        "check and the start refuse it with a sentence.",
        f"{POOLER}test_a_pooler_in_transaction_mode_is_refused",
        f"{POOLER}test_a_pooler_in_session_mode_is_as_good_as_none",
    ),
    row(
        "A pool has fewer sessions than the service holds.",
        "It is said how many there are and how many are needed.",
        f"{POOLER}test_a_pool_that_is_too_small_is_named",
    ),
    row(
        "The log grows behind a reader that does not end.",
        "It is said, and again when it has doubled.",
        f"{FILES}test_a_log_that_grows_behind_a_reader_is_said",
    ),
    row(
        "An account is renamed, its reference and alias are swapped, or its case changes.",
        "What waits or is done is known under the present name, and handled once.",
        f"{NAMES}test_what_came_under_a_former_name_is_known",
        f"{NAMES}test_it_is_handled_once_and_leaves_the_inbox_under_its_present_name",
        f"{NAMES}test_what_came_under_both_names_is_handled_once",
        f"{NAMES}test_back_and_forth",
        "server/test_reload.py::test_a_renamed_account_knows_what_was_handled",
    ),
    row(
        "Rows bear a name that no account has.",
        "check warns of them.",
        f"{PROVES}test_notifications_of_a_name_that_no_account_bears_are_named",
    ),
    row(
        "A message without a usable id is erased, and comes again.",
        "The tombstone still recognises it.",
        "journal/erasure/test_erase.py::test_a_key_that_is_a_digest_still_tells_a_copy",
        "journal/erasure/test_erase.py::test_a_message_from_the_number_becomes_a_tombstone",
    ),
    row(
        "The inbox lists missed messages in another order than that of their reception.",
        "They are stored, so handled, in the order of reception.",
        "inbox/reconcile/test_reconcile_run.py::"
        "test_missed_messages_are_stored_in_the_order_in_which_ems_received_them",
        "inbox/reconcile/test_reconcile_run.py::test_the_order_holds_across_the_parts_of_a_long_list",
    ),
    row(
        "A reload has a bad value, or something new that cannot be built.",
        "Nothing changes: the new is built before the old is ended.",
        "server/test_reload.py::test_a_bad_value_in_the_last_account_changes_nothing",
        "server/test_reload.py::test_an_inbox_that_cannot_be_built_changes_nothing",
        "server/test_reload.py::test_no_request_is_dropped_by_a_reload",
    ),
)
