"""What a sink is: a ready-made handler that brings notifications to one destination, and confirms each.

A sink is one file in this room. It is made from its settings (``settings/sinks.py``), and one object serves all
threads of its dispatcher at once.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from soap_handler.errors import SinkDownError
    from soap_handler.notifications import Notification


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring a notification to its destination."""

    notification: Notification
    stored_at: datetime
    """When the service stored it: aware, UTC."""
    attempt: int = 1
    """The number of this attempt, from 1."""
    request: bytes | None = None
    """The request that brought it, password masked, where the journal has it."""


class Sink(ABC):
    """A destination of notifications. Thread-safe: ``concurrency`` threads call :meth:`deliver` at once.

    A constructor connects to nothing: a destination that is out of reach does not keep the service from receiving.
    """

    @abstractmethod
    def deliver(self, delivery: Delivery) -> None:
        """Return once the destination has confirmed the notification; it may be called again for one, like any handler.

        Raises:
            SinkDownError: the destination as a whole is out of order or out of reach.
            SinkRefusedError: it works, and refuses this notification.
            RetryLater: it asks for a later attempt at this notification.
            GiveUp: it says that this notification will never be taken.
        """

    @abstractmethod
    def probe(self) -> str:
        """Reach out harmlessly (connect, log in), and return a short sentence of what was found.

        Raises:
            SinkError: the destination would take nothing now; the text says why.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back what is open. No delivery is under way, and none follows."""


class BatchSink(Sink):
    """A destination that takes several notifications in one call. Thread-safe, as :class:`Sink`.

    A lone notification waits for no other. While calls are under way, others gather, and a thread that becomes free
    takes all that wait, up to :attr:`batch`.
    """

    batch: int
    """Notifications in one call at most."""

    @abstractmethod
    def deliver_all(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        """Deliver several; say of each what went wrong, as an error that :meth:`deliver` would raise."""

    def deliver(self, delivery: Delivery) -> None:
        """Deliver one alone."""
        (error,) = self.deliver_all([delivery])
        if error is not None:
            raise error


def for_each(error: SinkDownError, count: int) -> list[SinkDownError]:
    """Return an error of one call for each of its deliveries. It counts as one failure of the destination."""
    echoes = [copy.copy(error) for _ in range(count - 1)]
    for each in echoes:
        each.is_echo = True
    return [error, *echoes]
