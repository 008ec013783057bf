"""Cases of HTTP and TLS, and of the words in which a refusal, a fault or a recovery is told."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

REFUSED: Final = "server/test_refused_requests.py::"

WORDS: Final[tuple[Row, ...]] = (
    row(
        "A caller sends Connection: TE, close.",
        "It is a list: the connection ends.",
        f"{REFUSED}test_connection_is_a_list",
        f"{REFUSED}test_two_connection_headers_are_one_list",
        f"{REFUSED}test_an_older_caller_may_ask_for_keep_alive_in_a_list",
    ),
    row(
        "A body is cut short by its Content-Length.",
        "The connection closes after the fault, and the rest is never read as a request.",
        f"{REFUSED}test_what_follows_a_body_that_was_cut_short_is_no_request",
    ),
    row(
        "A request is refused, in any of more than fifteen ways.",
        "A line in the log has the reason and nothing of the content; a flood is few lines.",
        f"{REFUSED}test_each_refusal_is_logged_with_its_reason_and_closes_the_connection",
        f"{REFUSED}test_a_flood_of_refusals_is_few_lines",
        "web/test_client_address.py::test_refusals_are_logged_with_the_address_but_do_not_flood",
    ),
    row(
        "A header block must be understood and is not.",
        "The fault names it, however long its name is.",
        f"{REFUSED}test_the_fault_names_the_header_that_must_be_understood",
        f"{REFUSED}test_a_long_header_name_does_not_make_a_long_fault",
        "faces/soap/test_soap_12.py::test_header_blocks_that_are_not_understood_are_named",
    ),
    row(
        "TLS of the inbox fails: unknown issuer, wrong name, expired, no TLS, an old version.",
        "Each is told in its own words.",
        "inbox/test_tls_faults.py::test_what_is_wrong_with_the_certificate_is_said",
        "inbox/test_tls_faults.py::test_plain_http_on_the_port_is_said",
        "inbox/test_tls_faults.py::test_an_old_version_of_tls_is_said",
    ),
    row(
        "The journal or the inbox is back after an outage.",
        "It is said once, with how long it lasted.",
        "journal/databases/test_journal_outages.py::test_the_end_of_an_outage_is_told_once",
        "inbox/test_circuit_breaker.py::test_the_end_of_an_outage_is_told_once",
    ),
)
