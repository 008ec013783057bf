"""The destinations: each sink with its latest delivery and its circuit breaker, and the routes that lead to them."""

from __future__ import annotations

from flask import render_template

from soap_handler.console.pages.configuration import rows
from soap_handler.console.pages.site import ask, site
from soap_handler.console.parts import parts
from soap_handler.journal.questions import deliveries
from soap_handler.settings.sinks import PYTHON
from soap_handler.sinks.outlook import outlooks


@site.get("/destinations", endpoint="destinations")
def destinations_page() -> str:
    """Show the destinations."""
    here = parts()
    found = list(outlooks(here.settings, ask(deliveries), here.exposition.open_circuits()))
    tables = {each.table: each.rows for each in rows(here.settings)}
    settings = {each.name: tables.get("handler" if each.name == PYTHON else f"sink.{each.name}", ()) for each in found}
    unused = [name for name in here.settings.sink if name not in settings]
    return render_template(
        "destinations.html",
        now=here.journal.now(),
        found=found,
        settings=settings,
        unused=unused,
        routes=here.settings.route,
    )
