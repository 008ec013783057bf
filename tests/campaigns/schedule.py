"""Which campaigns there are, in the order in which ``all`` runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.campaigns import sinks
from tests.campaigns.accounts import accounts
from tests.campaigns.clock import clock
from tests.campaigns.crash import crash, crash_transactional, crash_workers
from tests.campaigns.database import database
from tests.campaigns.disk_full import disk_full
from tests.campaigns.files import files
from tests.campaigns.frozen import frozen
from tests.campaigns.handler_faults import handler
from tests.campaigns.hosts import hosts, hosts_transactional
from tests.campaigns.inbox import inbox
from tests.campaigns.network import network
from tests.campaigns.outage import outage
from tests.campaigns.power import power
from tests.campaigns.soak import soak

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.run import Run

ALL: Final = "all"
BESIDE: Final = (
    *("crash", "crash-transactional", "crash-workers", "power", "disk-full", "inbox", "network"),
    *("sink-webhook", "sink-soap", "sink-command", "sink-amqp", "sink-sql", "sink-files"),
)
"""Campaigns that may run at the same time as others: how long something takes decides nothing in them."""
IN_EACH_VERSION: Final = "crash"
"""The campaign that ``all`` runs, small, in the other versions of the API too."""
SMALL: Final = 0.03
CAMPAIGNS: Final[dict[str, Callable[[Run], None]]] = {
    "crash": crash,
    "crash-transactional": crash_transactional,
    "crash-workers": crash_workers,
    "power": power,
    "disk-full": disk_full,
    "database": database,
    "frozen": frozen,
    "files": files,
    "inbox": inbox,
    "accounts": accounts,
    "handler": handler,
    "network": network,
    "hosts": hosts,
    "hosts-transactional": hosts_transactional,
    "outage": outage,
    "clock": clock,
    "sink-webhook": sinks.webhook,
    "sink-soap": sinks.soap,
    "sink-command": sinks.command,
    "sink-amqp": sinks.amqp,
    "sink-sql": sinks.sql,
    "sink-files": sinks.files,
    "soak": soak,
}
