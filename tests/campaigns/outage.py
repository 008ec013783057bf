"""The service is off while messages come in, and EMS has given up pushing them: the inbox tells of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from soap_handler.ems import believable_notifications
from soap_handler.notifications import Kind, MessageReceived
from tests.campaigns.service import REFERENCE

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site


def outage(run: Run) -> None:
    """Everything is found again by reconciliation; what is pushed in the same breath is one notification with it."""
    count = run.scaled(5000, 200)
    sections = {"reconcile": {"interval": 5, "timeout": 120}, "handler": {"timeout": 10, "threads": 8}}
    with run.site(sections=sections) as site:
        invented = believable_notifications(REFERENCE, run.seed, mix={Kind.MESSAGE_RECEIVED: 1})
        messages = [each for each in islice(invented, count) if isinstance(each, MessageReceived)]
        site.told += messages
        missed, pushed = messages[: count * 9 // 10], messages[count * 9 // 10 :]
        site.ems.handler_url = None
        for message in missed:
            site.ems.inbox.mailbox.put(message)
        site.ems.push_all(pushed)
        site.start()
        before = _memory(site)
        site.ems.handler_url = site.url_of(site.service.port)
        site.settle_down(400)
        run.tally("missed", len(missed))
        run.tally("recovered", sum(record.source == "inbox" for record in site.books().records.values()))
        run.tally("memory growth MiB", round(_memory(site) - before, 1))
        site.stop()


def _memory(site: Site) -> float:
    """Return the resident memory of the service in MiB."""
    lines = Path(f"/proc/{site.service.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
