"""Events that are counted: what is rare is counted from its event, without a line of code where it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from soap_handler import telemetry
from soap_handler.metrics.catalogue import DEAD, RECONCILIATIONS, RECOVERED, WORKER_RESTARTS
from soap_handler.metrics.instruments import attach, is_counting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from soap_handler.metrics.instruments import Cells
    from soap_handler.telemetry import Event


def count_in(cells: Cells) -> Callable[[], None]:
    """Count here, events included, from now on; return the function that ends it."""
    detach = attach(cells)
    unsubscribe = telemetry.subscribe(count)

    def end() -> None:
        detach()
        if not is_counting():
            unsubscribe()

    return end


def count(event: Event, fields: Mapping[str, Any]) -> None:
    """Count an event. For ``telemetry.subscribe``."""
    match event.name:
        case "notification_dead":
            DEAD.add(1)
        case "worker_lost":
            WORKER_RESTARTS.add(1)
        case "reconciled" | "reconciled_again":
            RECONCILIATIONS.add(1, fields["account"], "done")
            if fields["recovered"]:
                RECOVERED.add(fields["recovered"], fields["account"])
        case "reconciliation_broke":
            RECONCILIATIONS.add(1, fields["account"], "failed")
