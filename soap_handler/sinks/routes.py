"""Routes: which destination takes which part of the queue, by the settings; the first rule that matches decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from soap_handler.dispatch.breaker import Breaker
from soap_handler.dispatch.destination import Batches, Destination, of_handlers
from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import HandlerNotFoundError
from soap_handler.journal.scope import Rule, Scope
from soap_handler.notifications import Kind
from soap_handler.retry import Backoff, RetryPolicy
from soap_handler.settings import name_key
from soap_handler.settings.sinks import PYTHON
from soap_handler.sinks import registry, target
from soap_handler.sinks.base import BatchSink, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.journal import Claim
    from soap_handler.settings import Settings
    from soap_handler.settings.sinks import RouteSettings, SinkSettings
    from soap_handler.sinks.base import Sink

_BACKOFF: Final = Backoff(first=1.0, cap=900.0)
_GRACE_SECONDS: Final = 5.0  # a sink keeps its own time; only one that does not is given up from outside


@dataclass(frozen=True, slots=True)
class _ToSink:
    """The takers of a sink: one method for all kinds."""

    sink: Sink

    def function_for(self, claim: Claim) -> Callable[..., None]:
        """Return the delivery of a claim."""
        return partial(self.sink.deliver, _delivery(claim))

    def is_transactional(self, kind: Kind) -> bool:  # noqa: ARG002 - of every kind
        """Say no: a sink has no part in the journal's transaction."""
        return False


def _delivery(claim: Claim) -> Delivery:
    return Delivery(claim.notification, claim.received_at, claim.attempts, claim.envelope)


def _batches(sink: Sink) -> Batches | None:
    """Return how several notifications go to a sink in one call, if they do."""
    if not isinstance(sink, BatchSink) or sink.batch == 1:
        return None

    def deliver(claims: Sequence[Claim]) -> Sequence[Exception | None]:
        return sink.deliver_all([_delivery(claim) for claim in claims])

    return Batches(sink.batch, deliver)


def destinations(settings: Settings, plugged: Handlers | None = None) -> list[Destination]:
    """Return the destinations in use. ``plugged`` are the handlers to use in place of ``handler.target``.

    Raises:
        HandlerNotFoundError: one of them cannot be loaded, or a kind has none and is not ignored on purpose.
    """
    if not settings.route:
        return [of_handlers(_complete(settings, plugged), settings.handler)]
    refuse_gaps(settings)
    found = []
    for name in settings.destinations:
        scope = scope_of(settings, name)
        if name == PYTHON:
            kinds = {kind for route in settings.route if route.sink == PYTHON for kind in route.kinds or Kind}
            handlers = plugged or target.load_some(settings, kinds)
            found.append(of_handlers(handlers, settings.handler, scope))
        else:
            found.append(of_sink(name, settings.sink[name], registry.build(name, settings.sink[name]), scope))
    return [*found, _ignored(settings)] if settings.handler.ignore else found


def of_sink(name: str, settings: SinkSettings, sink: Sink, scope: Scope | None = None) -> Destination:
    """Return the destination that is a sink."""
    return Destination(
        name=name,
        takers=_ToSink(sink),
        threads=settings.concurrency,
        timeout=settings.longest + _GRACE_SECONDS,
        retry=RetryPolicy(_BACKOFF, settings.max_attempts, settings.give_up_after),
        refusals_allowed=settings.refusals_allowed,
        scope=scope,
        breaker=Breaker(name),
        batches=_batches(sink),
        close=sink.close,
    )


def scope_of(settings: Settings, name: str) -> Scope:
    """Return the part of the queue that goes to a destination."""
    return Scope(tuple((_rule(settings, route), route.sink == name) for route in settings.route))


def wants_requests(settings: Settings) -> Callable[[str, str], bool] | None:
    """Return what says, of an account and a kind, whether a sink writes the request as it came; ``None``: no sink does.

    The journal must keep the request then.
    """
    wanting = {name for name, sink in settings.sink.items() if sink.format == "envelope"}
    scopes = [scope_of(settings, name) for name in wanting & {route.sink for route in settings.route}]
    return (lambda account, kind: any(scope.takes(account, kind) for scope in scopes)) if scopes else None


def refuse_unserved(settings: Settings, running: Settings) -> None:
    """Refuse, at a reload, accounts that a start would refuse. Routes and handlers stay those of the ``running`` ones.

    Raises:
        HandlerNotFoundError: says which account, and what to set.
    """
    if not running.route:
        target.refuse_unnamed_output(settings.model_copy(update={"handler": running.handler}))
    if settings.route:
        refuse_gaps(settings)


def refuse_gaps(settings: Settings) -> None:
    """Refuse routes that leave something to no destination, unless ``handler.ignore`` names its kind.

    Raises:
        HandlerNotFoundError: says which kind of which account.
    """
    rules = [_rule(settings, route) for route in settings.route]
    for kind in Kind:
        if kind in settings.handler.ignore:
            continue
        for account in settings.account:
            if not any(rule.matches(account.reference, kind.value) for rule in rules):
                raise HandlerNotFoundError(
                    f"no route takes {kind.value} of account {account.reference}; expected a route for it, "
                    f'or handler.ignore = ["{kind.value}"] to have it stored and not handled'
                )


def _ignored(settings: Settings) -> Destination:
    """Return what ends, as ignored, all that no route takes and ``handler.ignore`` names."""
    rules = [(_rule(settings, route), False) for route in settings.route]
    ignored = Rule(kinds=frozenset(settings.handler.ignore))
    scope = Scope((*rules, (ignored, True)))
    return of_handlers(Handlers(), settings.handler.model_copy(update={"threads": 1}), scope)


def _rule(settings: Settings, route: RouteSettings) -> Rule:
    wanted = {name_key(name) for name in route.accounts}
    accounts = {
        name
        for account in settings.account
        if wanted & {name_key(name) for name in account.names}
        for name in account.names  # a reload may make an alias the reference
    }
    return Rule(frozenset(kind.value for kind in route.kinds), frozenset(accounts))


def _complete(settings: Settings, plugged: Handlers | None) -> Handlers:
    """Return the handlers to use, once it is sure that each kind has one or is ignored on purpose."""
    if plugged is None:
        return target.load(settings)
    target.refuse_gaps(plugged, settings)
    return plugged
