"""A handler that does nothing, as quickly as it can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler import Handlers

if TYPE_CHECKING:
    from soap_handler import Notification

handlers = Handlers()


@handlers.all_kinds
def nothing(_notification: Notification) -> None:
    """Handle it."""
