"""A destination takes a part of the queue: the customer's handlers, or a sink; and how patient we are with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from soap_handler.retry import Backoff, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.dispatch.breaker import Breaker
    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.journal import Claim
    from soap_handler.journal.scope import Scope
    from soap_handler.notifications import Kind
    from soap_handler.settings import HandlerSettings


class Takers(Protocol):
    """What says which function takes a claim."""

    def function_for(self, claim: Claim) -> Callable[..., None] | None:
        """Return the function to call, with a connection if it is transactional; ``None``: there is none on purpose."""

    def is_transactional(self, kind: Kind) -> bool:
        """Whether the function of a kind is given a connection."""


@dataclass(frozen=True, slots=True)
class Batches:
    """What a destination takes in one call: several notifications, each with an answer of its own."""

    most: int
    """Notifications in one call at most."""
    deliver: Callable[[Sequence[Claim]], Sequence[BaseException | None]]
    """Delivers all, and says of each what went wrong, in their order."""


@dataclass(frozen=True, slots=True)
class Python:
    """The customer's handlers: each is called with the notification."""

    handlers: Handlers

    def function_for(self, claim: Claim) -> Callable[..., None] | None:
        """Return the handler of the kind, with the notification given."""
        function = self.handlers.get(claim.kind)
        return None if function is None else partial(function, claim.notification)

    def is_transactional(self, kind: Kind) -> bool:
        """Whether the handler of a kind is given a connection."""
        return self.handlers.is_transactional(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination. Each has a claim loop and threads of its own, so that a slow one holds up no other."""

    name: str
    takers: Takers
    threads: int
    """Deliveries at once: notifications, or batches of them."""
    timeout: float
    """Seconds for one delivery."""
    retry: RetryPolicy
    refusals_allowed: int | None = None
    """Attempts that a destination may refuse before the notification is dead; ``None``: as many as any others."""
    scope: Scope | None = None
    """Its part of the queue; ``None``: all of it."""
    breaker: Breaker | None = None
    batches: Batches | None = None
    """How several go in one call; ``None``: each goes alone."""
    close: Callable[[], None] = field(default=lambda: None)
    """Gives back what it has open, after the last delivery."""


def of_handlers(handlers: Handlers, settings: HandlerSettings, scope: Scope | None = None) -> Destination:
    """Return the destination that is the customer's own handlers."""
    return Destination(
        name="python",
        takers=Python(handlers),
        threads=settings.threads,
        timeout=settings.timeout,
        retry=RetryPolicy(
            Backoff(settings.backoff, settings.backoff_cap), settings.max_attempts, settings.give_up_after
        ),
        scope=scope,
    )
