"""Cases of memory, time and other costs that a stranger, or a number of accounts, can cause."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

NAMES: Final = "xml/test_names.py::"
MANY: Final = "inbox/test_many_accounts.py::"

COSTS: Final[tuple[Row, ...]] = (
    row(
        "2,000 requests without a password have new element names each.",
        "The memory grows by less than 5 MB.",
        f"{NAMES}test_a_stranger_fills_no_memory_of_a_service",
        f"{NAMES}test_new_names_in_each_request_cost_no_memory",
        f"{NAMES}test_new_names_cost_the_quick_way_no_memory_either",
    ),
    row(
        "Attributes, prefixes, namespaces, targets of instructions and white space are new in each request.",
        "The same; where the request is repaired, too.",
        f"{NAMES}test_new_names_in_each_request_cost_no_memory",
        f"{NAMES}test_nor_where_the_request_is_repaired",
        f"{NAMES}test_a_document_outlives_the_names_of_its_thread",
    ),
    row(
        "A request is made of byte-order marks.",
        "Its time grows with its length alone.",
        "corpus/test_bounds.py::test_a_large_body_of_byte_order_marks_takes_little_time",
    ),
    row(
        "A quarter of a megabyte repeats any other piece.",
        "No step is quadratic, and nothing stays behind.",
        "corpus/test_bounds.py::test_a_large_body_of_anything_takes_little_time",
        "corpus/test_bounds.py::test_nothing_grows",
    ),
    row(
        "One caller opens all connections that the proxy allows, and sends half a request on each.",
        "The proxy gives one address no more than its share; bodies have a short timeout.",
        "deploy/test_tls_proxy.py::test_nginx_gives_one_address_no_more_than_its_share",
        "deploy/test_tls_proxy.py::test_the_limits_are_those_of_the_settings",
    ),
    row(
        "300 accounts have inboxes, and three have something to delete.",
        "One scheduler: three calls, threads for no more than these, one look for all.",
        f"{MANY}test_only_accounts_with_something_to_delete_are_served",
        f"{MANY}test_a_commit_has_one_look_made_for_all_accounts",
        f"{MANY}test_few_connections_are_kept_for_many_accounts",
    ),
    row(
        "1,000 accounts have nothing to do between two reconciliations, and one is pushed for.",
        "Less than 2 % of a processor more than one account takes; a push takes about as long.",
        "campaigns/test_campaigns.py::test_a_small_campaign_keeps_its_promises",
    ),
    row(
        "A reload replaces deleters, whose settings hold passwords.",
        "Those of before are let go.",
        f"{MANY}test_replaced_deleters_are_let_go",
        "server/test_reload.py::test_an_inbox_that_stays_the_same_goes_on_undisturbed",
    ),
    row(
        "Deletes fail for days.",
        "Attempts that fail alike are one row: first, last and count.",
        f"{MANY}test_deletes_that_fail_alike_are_one_row",
    ),
    row(
        "The journal is out of reach for a night, and each push meets it.",
        "It is said once a minute.",
        "journal/databases/test_journal_outages.py::test_an_outage_is_said_once_a_minute",
    ),
)
