"""How customers plug in their code: decorators that register a function for a kind, and loading by name."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, overload

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
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

F = TypeVar("F", bound="Callable[..., None]")
N = TypeVar("N", MessageReceived, MessageEvent, MessageError, SubscriptionEvent, Notification)

Handler: TypeAlias = "Callable[[N], None]"
TransactionalHandler: TypeAlias = "Callable[[N, Connection], None]"
Decorator: TypeAlias = "Callable[[F], F]"

_LAZY = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""Kinds of functions that do nothing yet when they are called."""

_LATER: Any = object()
"""In the place of a function: the decorator was written with brackets, and gets it in a second call."""


class Handlers:
    """The functions that handle notifications, at most one for each kind.

    A handler returns to say "handled"; whatever it raises means "not yet", and it is called again later. It may be
    called more than once for one notification (after a crash): make its effects idempotent with ``notification.key``.

    A transactional handler, ``@handlers.message_received(transactional=True)``, is also given a SQLAlchemy connection
    to the journal's database. What it writes there and "handled" are committed together, or not at all; it must not
    commit or roll back by itself. With SQLite its first statement takes the lock that every writer needs, the receiving
    of notifications too: be slow before it, not after it.
    """

    def __init__(self) -> None:
        self._functions: dict[Kind, Callable[..., None]] = {}
        self._transactional: set[Kind] = set()

    @overload
    def message_received(self, function: Handler[MessageReceived]) -> Handler[MessageReceived]: ...
    @overload
    def message_received(self, *, transactional: Literal[False] = False) -> Decorator[Handler[MessageReceived]]: ...
    @overload
    def message_received(self, *, transactional: Literal[True]) -> Decorator[TransactionalHandler[MessageReceived]]: ...
    def message_received(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register the handler of mobile-originated messages."""
        return self._decorate(function, [Kind.MESSAGE_RECEIVED], transactional)

    @overload
    def message_event(self, function: Handler[MessageEvent]) -> Handler[MessageEvent]: ...
    @overload
    def message_event(self, *, transactional: Literal[False] = False) -> Decorator[Handler[MessageEvent]]: ...
    @overload
    def message_event(self, *, transactional: Literal[True]) -> Decorator[TransactionalHandler[MessageEvent]]: ...
    def message_event(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register the handler of delivery events."""
        return self._decorate(function, [Kind.MESSAGE_EVENT], transactional)

    @overload
    def message_error(self, function: Handler[MessageError]) -> Handler[MessageError]: ...
    @overload
    def message_error(self, *, transactional: Literal[False] = False) -> Decorator[Handler[MessageError]]: ...
    @overload
    def message_error(self, *, transactional: Literal[True]) -> Decorator[TransactionalHandler[MessageError]]: ...
    def message_error(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register the handler of delivery errors."""
        return self._decorate(function, [Kind.MESSAGE_ERROR], transactional)

    @overload
    def subscription_event(self, function: Handler[SubscriptionEvent]) -> Handler[SubscriptionEvent]: ...
    @overload
    def subscription_event(self, *, transactional: Literal[False] = False) -> Decorator[Handler[SubscriptionEvent]]: ...
    @overload
    def subscription_event(
        self, *, transactional: Literal[True]
    ) -> Decorator[TransactionalHandler[SubscriptionEvent]]: ...
    def subscription_event(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register the handler of premium-rate subscription events."""
        return self._decorate(function, [Kind.SUBSCRIPTION_EVENT], transactional)

    @overload
    def all_kinds(self, function: Handler[Notification]) -> Handler[Notification]: ...
    @overload
    def all_kinds(self, *, transactional: Literal[False] = False) -> Decorator[Handler[Notification]]: ...
    @overload
    def all_kinds(self, *, transactional: Literal[True]) -> Decorator[TransactionalHandler[Notification]]: ...
    def all_kinds(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register one handler for every kind that has none yet."""
        return self._decorate(function, None, transactional)

    def get(self, kind: Kind) -> Callable[..., None] | None:
        """Return the handler of a kind, or ``None``: such a notification is journaled and done."""
        return self._functions.get(kind)

    def is_transactional(self, kind: Kind) -> bool:
        """Return whether the handler of a kind takes a connection too."""
        return kind in self._transactional

    def _decorate(self, function: Any, kinds: Sequence[Kind] | None, transactional: bool) -> Any:  # noqa: ANN401, FBT001 - typed by the overloads
        """Register a function, or return a decorator that does: written without brackets, or with."""
        if function is _LATER:
            return lambda later: self._register(_checked(later), kinds, transactional)
        return self._register(_checked(function), kinds, transactional)

    def _register(self, function: F, kinds: Sequence[Kind] | None, transactional: bool) -> F:  # noqa: FBT001 - private
        for kind in kinds or ():
            if kind in self._functions:
                raise ValueError(f"{kind} has a handler already: {self._functions[kind]!r}")
        for kind in kinds or [kind for kind in Kind if kind not in self._functions]:
            self._functions[kind] = function
            if transactional:
                self._transactional.add(kind)
        return function


def _checked(function: F) -> F:
    """Refuse a function that returns at once without having done anything: it would count as handled."""
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"a handler is a function; {function!r} is not")
    if any(is_lazy(function) for is_lazy in _LAZY):
        raise TypeError(f"{function!r} is async or a generator; a handler is a plain function")
    return function


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
