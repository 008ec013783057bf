"""The verbs whose commit is no reason to look for work: they make nothing due. The announcer is quiet about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler.journal import claim, purge
from soap_handler.journal.databases import heartbeat
from soap_handler.journal.inbox import gates as inbox_gates
from soap_handler.journal.inbox import reconciliations
from soap_handler.journal.operator import audit_rows

if TYPE_CHECKING:
    from soap_handler.journal.execute import Verb

IDLE_VERBS: Final[tuple[Verb, ...]] = (
    claim.claim,
    claim.begin,
    reconciliations.begin,  # a thousand inboxes are compared several times a second
    reconciliations.end,
    inbox_gates.enter,
    inbox_gates.prolong,
    inbox_gates.refuse,
    heartbeat.beat,  # every few seconds while a load balancer probes /health/ready
    audit_rows.begin,
    audit_rows.end,
    audit_rows.delete_before,
    purge.pass_time,
    purge.purge,
    purge.purge_runs,
)
"""A verb that is not among them wakes the claim loops, once too often at worst."""
