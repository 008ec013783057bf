"""What a sink is: a ready-made handler that brings every kind of notification to one destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from soap_handler.dispatch.handlers import Handlers

if TYPE_CHECKING:
    from soap_handler.notifications import Notification


class Sink(Protocol):
    """A destination of notifications. One object serves all handler threads at once."""

    def deliver(self, notification: Notification) -> None:
        """Return once the destination has the notification; raise anything to be called again later.

        It may be called more than once for one notification, like any handler.
        """


def handlers_of(sink: Sink) -> Handlers:
    """Return handlers that deliver every kind to a sink: what a module of this room calls ``handlers``."""
    handlers = Handlers()
    handlers.all_kinds(sink.deliver)
    return handlers
