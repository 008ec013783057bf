"""Cases that only whole processes show: the campaigns, each with its counts."""

from __future__ import annotations

from typing import Final

from tests.cases.row import Row, row

SMALL: Final = "campaigns/test_campaigns.py::test_a_small_campaign_keeps_its_promises"

CAMPAIGNS: Final[tuple[Row, ...]] = (
    row(
        "clock: the wall clock of two workers, and of two hosts that differ, steps by 5 s to 40 days while they serve.",
        "Missing 0, nothing twice, all handled soon after each step, and a stop takes no longer.",
        SMALL,
    ),
    row(
        "frozen: sessions of PostgreSQL, then the whole server, are stopped; no sync of the disk returns.",
        "EMS saw Server faults meanwhile, as counted; missing 0 afterwards, and the service ended in time.",
        SMALL,
    ),
    row(
        "files: the journal's file is moved, deleted and replaced by a copy, its log is deleted.",
        "EMS saw Server faults meanwhile, as counted; missing 0 afterwards, in one process from beginning to end.",
        SMALL,
    ),
    row(
        "accounts: 1,000 accounts with inboxes, of which 100 refuse the login for a while.",
        "Idle time and pushes about as with one account; missing 0, and no login is tried at speed.",
        SMALL,
    ),
    row(
        "A campaign's service breaks its promise on purpose.",
        "The campaign notices, and ends with 1.",
        "campaigns/test_campaigns.py::test_a_broken_promise_ends_with_1",
        "campaigns/test_campaigns.py::test_the_table_says_everything",
    ),
)
