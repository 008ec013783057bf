"""Which campaigns there are, in the order in which ``all`` runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .crash import crash, crash_transactional, crash_workers
from .database import database
from .disk_full import disk_full
from .handler_faults import handler
from .hosts import hosts, hosts_transactional
from .inbox import inbox
from .network import network
from .outage import outage
from .power import power
from .soak import soak

if TYPE_CHECKING:
    from collections.abc import Callable

    from .run import Run

ALL: Final = "all"
CAMPAIGNS: Final[dict[str, Callable[[Run], None]]] = {
    "crash": crash,
    "crash-transactional": crash_transactional,
    "crash-workers": crash_workers,
    "power": power,
    "disk-full": disk_full,
    "database": database,
    "inbox": inbox,
    "handler": handler,
    "network": network,
    "hosts": hosts,
    "hosts-transactional": hosts_transactional,
    "outage": outage,
    "soak": soak,
}
