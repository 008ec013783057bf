"""The pages put together: loading this module loads all of them, and :func:`install` puts them into the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.console.pages import backlog, configuration, destinations, inboxes, message, messages, overview
from soap_handler.console.pages.site import set_up, site

if TYPE_CHECKING:
    from flask import Flask

PAGES = (overview, messages, message, backlog, inboxes, destinations, configuration)
"""The modules with views: each registers its own as it is loaded."""


def install(app: Flask) -> None:
    """Put the pages into the console's application."""
    set_up(app)
    app.register_blueprint(site)
