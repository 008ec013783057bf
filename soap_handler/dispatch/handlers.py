"""How customers plug in their code: decorators that register a function for a kind, and loading by name."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast, overload

from soap_handler.dispatch.frames import own_place_of
from soap_handler.dispatch.signature import UnfitHandlerError, refuse_unfit
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


class Registration(Generic[N]):
    """The decorator of one kind's handler, written without brackets or with (``transactional``)."""

    def __init__(self, register: Callable[[Any, Sequence[Kind], bool], None], *kinds: Kind) -> None:
        """Without ``kinds`` it is for all that have no handler yet."""
        self._register = register
        self._kinds = kinds

    @overload
    def __call__(self, function: Handler[N]) -> Handler[N]: ...
    @overload
    def __call__(self, *, transactional: Literal[False] = False) -> Decorator[Handler[N]]: ...
    @overload
    def __call__(self, *, transactional: Literal[True]) -> Decorator[TransactionalHandler[N]]: ...
    def __call__(self, function: Any = _LATER, *, transactional: bool = False) -> Any:
        """Register a function and return it, or return a decorator that does."""
        if function is _LATER:
            return lambda later: self._registered(later, transactional)
        return self._registered(function, transactional)

    def _registered(self, function: F, transactional: bool) -> F:  # noqa: FBT001 - private
        self._register(_checked(function), self._kinds, transactional)
        return function


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

    @property
    def message_received(self) -> Registration[MessageReceived]:
        """Register the handler of mobile-originated messages."""
        return Registration(self._register, Kind.MESSAGE_RECEIVED)

    @property
    def message_event(self) -> Registration[MessageEvent]:
        """Register the handler of delivery events."""
        return Registration(self._register, Kind.MESSAGE_EVENT)

    @property
    def message_error(self) -> Registration[MessageError]:
        """Register the handler of delivery errors."""
        return Registration(self._register, Kind.MESSAGE_ERROR)

    @property
    def subscription_event(self) -> Registration[SubscriptionEvent]:
        """Register the handler of premium-rate subscription events."""
        return Registration(self._register, Kind.SUBSCRIPTION_EVENT)

    @property
    def all_kinds(self) -> Registration[Notification]:
        """Register one handler for every kind that has none yet."""
        return Registration(self._register)

    def get(self, kind: Kind) -> Callable[..., None] | None:
        """Return the handler of a kind, or ``None``: such a notification is stored and ignored."""
        return self._functions.get(kind)

    def is_transactional(self, kind: Kind) -> bool:
        """Return whether the handler of a kind takes a connection too."""
        return kind in self._transactional

    def _register(self, function: Callable[..., None], kinds: Sequence[Kind], transactional: bool) -> None:  # noqa: FBT001 - private
        for kind in kinds:
            if kind in self._functions:
                raise ValueError(f"{kind} has a handler already: {self._functions[kind]!r}")
        wanted = kinds or [kind for kind in Kind if kind not in self._functions]
        refuse_unfit(function, wanted, transactional=transactional)
        for kind in wanted:
            self._functions[kind] = function
            if transactional:
                self._transactional.add(kind)


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
    except UnfitHandlerError as error:
        raise HandlerNotFoundError(f"handler.target {target!r}: {error}") from error
    except TypeError as error:
        what = type(found).__name__
        text = f"handler.target {target!r} is a {what}; expected Handlers or a plain function"
        raise HandlerNotFoundError(text) from error
    return handlers


def _module(name: str, target: str) -> object:
    with contextlib.suppress(OSError):  # a working directory that is gone holds no module
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # the customer's module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        at = None if isinstance(error, SyntaxError) else own_place_of(error)  # that one names its place by itself
        text = f"handler.target {target!r}: module {name!r} cannot be imported ({reason}{f'; {at}' if at else ''})"
        raise HandlerNotFoundError(text) from error


def _attribute(module: object, path: str, target: str) -> object:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise HandlerNotFoundError(f"handler.target {target!r}: {error}") from error
    return found
