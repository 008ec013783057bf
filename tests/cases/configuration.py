"""Cases of configuration: numbers, secrets, URLs, the surroundings of the command, packages and units."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

BOUNDS: Final = "settings/test_number_bounds.py::"
SECRETS: Final = "settings/test_secret_file_flaws.py::"
URL: Final = "settings/test_journal_url.py::"
QUIET: Final = "cli/test_no_traceback.py::"
SIGNALS: Final = "cli/test_signals.py::"
UNIT: Final = "deploy/test_systemd_unit.py::"

CONFIGURATION: Final[tuple[Row, ...]] = (
    row(
        "A number is absurd: 1e9 threads, 1e300 seconds, 5,000 digits, nan.",
        "Each number has bounds that work, and what is beyond them is named.",
        f"{BOUNDS}test_each_number_has_a_lowest_and_a_highest_value",
        f"{BOUNDS}test_an_absurd_number_is_a_sentence",
        f"{BOUNDS}test_what_is_within_the_bounds_is_taken_and_nothing_else",
        f"{BOUNDS}test_a_service_starts_with_every_number_at_its_bound",
        f"{QUIET}test_each_number_among_the_options_is_bounded",
    ),
    row(
        "A secret file begins with a byte-order mark, or ends with one line end.",
        "They are no part of the secret.",
        f"{SECRETS}test_a_byte_order_mark_and_one_line_end_are_no_part_of_the_secret",
    ),
    row(
        "A secret file has control characters, a trailing blank, a CR, or the quotes of an env file.",
        "It is refused by name, and the secret is not shown.",
        f"{SECRETS}test_what_a_person_cannot_see_is_refused_by_name",
        f"{SECRETS}test_a_control_character_is_refused_wherever_a_login_comes_from",
        f"{SECRETS}test_other_odd_secrets_are_taken_as_they_are",
    ),
    row(
        "The password in journal.url has a ? or an @.",
        "The URL is parsed, never masked by a pattern: no part of it is shown.",
        f"{URL}test_what_is_shown_of_a_url_holds_no_part_of_a_password",
        f"{URL}test_settings_that_were_built_show_no_password_either",
    ),
    row(
        "journal.url is malformed.",
        "An error that names the setting, without a traceback.",
        f"{URL}test_a_malformed_url_names_the_setting_and_shows_nothing",
        f"{BOUNDS}test_no_text_breaks_the_loading",
    ),
    row(
        "Arguments, variables and input are no UTF-8; the terminal cannot show a name.",
        "A sentence, and no uncaught error.",
        f"{QUIET}test_odd_arguments_are_a_sentence",
        f"{QUIET}test_text_that_the_terminal_cannot_show_is_escaped",
        f"{QUIET}test_a_defect_is_named_without_its_text",
    ),
    row(
        "Standard descriptors are closed, or the output is full.",
        "The exit code is that of the command, and no file takes their numbers.",
        f"{QUIET}test_closed_streams_are_no_defect",
        f"{QUIET}test_a_service_without_streams_serves",
        f"{QUIET}test_a_full_output_is_said",
    ),
    row(
        "Ctrl-C or SIGHUP comes in the first second.",
        "The one is a quiet end, the other a reload.",
        f"{SIGNALS}test_an_end_in_the_first_second_is_quiet",
        f"{SIGNALS}test_a_reload_in_the_first_second_is_obeyed_and_not_the_end",
        f"{SIGNALS}test_ctrl_c_while_a_command_waits_is_quiet",
        f"{SIGNALS}test_ctrl_c_in_another_command_is_quiet",
    ),
    row(
        "The working directory is gone, or may not be read.",
        "A configuration with an absolute path does not need one.",
        f"{QUIET}test_a_working_directory_that_is_gone_is_no_defect",
        f"{QUIET}test_a_working_directory_that_may_not_be_entered_has_no_configuration",
    ),
    row(
        "The inbox has an http address.",
        "check warns: its password would go over the network in the clear.",
        "cli/test_check_proves.py::test_an_inbox_without_tls_is_warned_of",
    ),
    row(
        "A module beside the handlers hides a library's: requests.py.",
        "check says so.",
        "cli/test_check_proves.py::test_a_local_module_that_hides_a_librarys_is_said",
    ),
    row(
        "The lowest versions that pyproject.toml allows are installed.",
        "Each has a bound, all that is imported is declared, and the checks run the command with the lowest ones.",
        "test_packaging.py::test_each_dependency_has_a_lower_bound",
        "test_packaging.py::test_what_is_imported_is_declared",
    ),
    row(
        "A driver of an extra is not installed.",
        "The error says what to install, as the README does.",
        "system/postgresql/test_sessions.py::test_a_missing_driver_is_named",
        "cli/test_init_and_check.py::test_a_driver_that_is_not_taken_is_said",
    ),
    row(
        "Paths of the systemd unit have blanks or %.",
        "systemd's own reader gets them back as they were; a line end makes no unit.",
        f"{UNIT}test_odd_characters_in_paths_stay_what_they_are",
        f"{UNIT}test_a_line_end_in_a_path_makes_no_unit",
    ),
    row(
        "The unit's journal is postgresql+psycopg:///, on this machine.",
        "The database is waited for.",
        f"{UNIT}test_a_database_on_this_machine_is_waited_for",
    ),
    row(
        "The handler's module lies where the unit does not find it.",
        "The unit says where it must lie.",
        f"{UNIT}test_the_unit_says_where_the_handlers_module_must_lie",
    ),
)
