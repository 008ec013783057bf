"""How customers plug in their code: decorators that register a function for a kind, and loading by name."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from soap_handler.errors import HandlerNotFoundError
from soap_handler.notifications import (
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    Notification,
    SubscriptionEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

N = TypeVar("N", MessageReceived, MessageEvent, MessageError, SubscriptionEvent)

_LAZY = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""Functions of which a call does nothing yet."""


class Handlers:
    """The functions that handle notifications, at most one for each kind.

    A handler returns to say "handled"; whatever it raises means "not yet", and it is called again later. It may be
    called more than once for one notification (after a crash): make its effects idempotent with ``notification.key``.
    """

    def __init__(self) -> None:
        self._functions: dict[Kind, Callable[[Any], None]] = {}

    def message_received(self, function: Callable[[MessageReceived], None]) -> Callable[[MessageReceived], None]:
        """Register the handler of mobile-originated messages."""
        return self._register(Kind.MESSAGE_RECEIVED, function)

    def message_event(self, function: Callable[[MessageEvent], None]) -> Callable[[MessageEvent], None]:
        """Register the handler of delivery events."""
        return self._register(Kind.MESSAGE_EVENT, function)

    def message_error(self, function: Callable[[MessageError], None]) -> Callable[[MessageError], None]:
        """Register the handler of delivery errors."""
        return self._register(Kind.MESSAGE_ERROR, function)

    def subscription_event(self, function: Callable[[SubscriptionEvent], None]) -> Callable[[SubscriptionEvent], None]:
        """Register the handler of premium-rate subscription events."""
        return self._register(Kind.SUBSCRIPTION_EVENT, function)

    def all_kinds(self, function: Callable[[Notification], None]) -> Callable[[Notification], None]:
        """Register one handler for every kind that has none yet."""
        _check(function)
        for kind in Kind:
            self._functions.setdefault(kind, function)
        return function

    def get(self, kind: Kind) -> Callable[[Any], None] | None:
        """Return the handler of a kind, or ``None``: such a notification is journaled and done."""
        return self._functions.get(kind)

    def _register(self, kind: Kind, function: Callable[[N], None]) -> Callable[[N], None]:
        _check(function)
        if kind in self._functions:
            raise ValueError(f"{kind} has a handler already: {self._functions[kind]!r}")
        self._functions[kind] = function
        return function


def _check(function: object) -> None:
    """Refuse what would return at once without having done anything: that would count as handled."""
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"a handler is a function; {function!r} is not")
    if any(is_lazy(function) for is_lazy in _LAZY):
        raise TypeError(f"{function!r} is async or a generator; a handler is a plain function")


def load(target: str) -> Handlers:
    """Return the handlers that ``package.module:attribute`` names.

    The attribute is a :class:`Handlers`, or a function that takes any notification. Modules are looked for in the
    working directory first, then in the environment.

    Raises:
        HandlerNotFoundError: the text is no target, the module cannot be imported, or the attribute is unfit.
    """
    module_name, colon, attribute = target.partition(":")
    if not (colon and module_name and attribute):
        raise HandlerNotFoundError(f"handler.target is {target!r}; expected package.module:attribute")
    found = _attribute(_module(module_name, target), attribute, target)
    if isinstance(found, Handlers):
        return found
    handlers = Handlers()
    try:
        handlers.all_kinds(cast("Callable[[Notification], None]", found))
    except TypeError as error:
        what = type(found).__name__
        text = f"handler.target {target!r} is a {what}; expected Handlers or a plain function"
        raise HandlerNotFoundError(text) from error
    return handlers


def _module(name: str, target: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # the customer's module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        text = f"handler.target {target!r}: module {name!r} cannot be imported ({reason})"
        raise HandlerNotFoundError(text) from error


def _attribute(module: object, path: str, target: str) -> object:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise HandlerNotFoundError(f"handler.target {target!r}: {error}") from error
    return found
