"""Cases of what nobody handled, and must not count as handled."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

UNHANDLED: Final[tuple[Row, ...]] = (
    row(
        "The handler's module has no handler for a kind: a forgotten decorator, an empty Handlers().",
        "check says that it is wrong, and serve does not start.",
        "cli/test_serve_ends.py::test_a_kind_without_a_handler_keeps_it_from_starting",
        "sinks/test_target.py::test_each_kind_is_handled_or_ignored",
        "sinks/test_target.py::test_a_service_with_a_gap_does_not_start",
    ),
    row(
        "A kind is ignored on purpose.",
        "Its history says so, no attempt counts, and a message stays in the inbox, reconciled or not.",
        "dispatch/test_dispatch.py::test_a_kind_without_a_handler_is_ignored",
        "sinks/test_target.py::test_the_names_are_those_of_the_kinds",
    ),
    row(
        "No route takes a kind.",
        "The service does not start, unless it is ignored on purpose.",
        "sinks/test_routes.py::test_what_no_route_takes_must_be_ignored_on_purpose",
        "cli/test_sinks.py::test_check_names_what_no_route_takes",
    ),
    row(
        "Notifications go to the standard output by default, and an account has an inbox.",
        "The sink must be named, or the inbox would be emptied into a pipe's buffer; a reload cannot bring it about.",
        "cli/test_serve_ends.py::test_the_standard_output_does_not_empty_an_inbox_by_default",
        "sinks/test_target.py::test_the_standard_output_with_an_inbox_is_asked_for_by_name",
        "sinks/test_target.py::test_a_reload_cannot_bring_an_inbox_to_the_default_output",
    ),
    row(
        "The reader of the standard output is gone, or the output is closed.",
        "A line that could not be written is not handled; with a closed output the service does not start.",
        "sinks/test_stdout.py::test_a_line_that_could_not_be_written_is_not_handled",
        "cli/test_closed_output.py::test_notifications_do_not_go_to_a_closed_output",
    ),
)
