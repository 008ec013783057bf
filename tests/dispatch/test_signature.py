"""Signatures of handlers: what could not be called, or takes another class, is refused when it is loaded."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from soap_handler import Handlers, MessageError, MessageEvent, MessageReceived, Notification
from soap_handler.dispatch.signature import UnfitHandlerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from soap_handler import MessageEvent as Event


class HasAccount(Protocol):
    account: str


class Methods:
    def take(self, message: MessageReceived) -> None: ...
    def take_event(self, event: MessageEvent) -> None: ...
    def __call__(self, message: MessageReceived) -> None: ...


def none() -> None: ...
def two(_message: MessageReceived, _more: int) -> None: ...
def keyword(*, message: MessageReceived) -> None: ...
def event(_event: MessageEvent) -> None: ...
def events(_event: MessageEvent | MessageError) -> None: ...
def text(_text: str) -> None: ...
def for_checkers(_event: MessageEvent) -> None: ...
def message(_message: MessageReceived) -> None: ...
def optional(_message: MessageReceived, _more: int = 0) -> None: ...
def variable(*_arguments: Any, **_more: Any) -> None: ...
def any_kind(_message: Notification) -> None: ...
def one_of(_message: MessageReceived | MessageEvent) -> None: ...
def an_object(_message: object) -> None: ...
def a_protocol(_message: HasAccount) -> None: ...
def a_list(_message: list[str]) -> None: ...
def nowhere(_message: object) -> None: ...


for_checkers.__annotations__["_event"] = "nowhere.MessageEvent"
nowhere.__annotations__["_message"] = "nowhere.Anything"


def adding(function: Callable[..., None]) -> Callable[[MessageReceived], None]:
    @functools.wraps(function)
    def wrapper(_message: MessageReceived) -> None:
        function(_message, 7)

    return wrapper


FIT = [
    *(message, optional, variable, any_kind, one_of, an_object, a_protocol, a_list, nowhere, print, adding(two)),
    *(Methods().take, Methods(), functools.partial(two, _more=3), lambda _: None),
]


@pytest.mark.parametrize("fit", FIT)
def test_what_can_be_called_is_taken(fit: Any) -> None:
    """Defaults, decorators, methods, protocols and names that only a type checker knows are no mistakes."""
    Handlers().message_received(fit)


@pytest.mark.parametrize(
    ("unfit", "words"),
    [
        (none, r"none \(.*test_signature.py, line \d+\) cannot be called with a notification: too many"),
        (two, "missing a required argument: '_more'"),
        (keyword, "cannot be called with a notification"),
        (event, "event .* is the handler of MessageReceived, and its parameter is annotated MessageEvent"),
        (events, "annotated .*MessageEvent"),
        (text, "annotated str"),
        (for_checkers, "annotated MessageEvent"),
        (Methods().take_event, "annotated MessageEvent"),
        (functools.partial(event), "annotated"),
    ],
)
def test_what_could_not_be_called_is_refused(unfit: Any, words: str) -> None:
    """Else each notification would fail until it is dead. The error names the function, its file and its line."""
    with pytest.raises(UnfitHandlerError, match=words):
        Handlers().message_received(unfit)


def test_a_transactional_handler_takes_a_connection_too() -> None:
    """One that takes the notification alone is refused, and so is the other way round."""
    handlers = Handlers()
    with pytest.raises(UnfitHandlerError, match="with a notification and a connection"):
        handlers.message_received(transactional=True)(message)  # type: ignore[arg-type] # on purpose
    handlers.message_received(transactional=True)(two)  # type: ignore[arg-type] # what its second one is does not matter


def test_one_for_all_is_checked_against_what_is_left() -> None:
    """A function of one class may take the place of all kinds only where the others have a handler."""
    handlers = Handlers()
    with pytest.raises(UnfitHandlerError, match="the handler of MessageEvent, MessageError, SubscriptionEvent"):
        handlers.all_kinds(message)  # type: ignore[arg-type] # on purpose
    for register in (handlers.message_event, handlers.message_error, handlers.subscription_event):
        register(print)
    handlers.all_kinds(message)  # type: ignore[arg-type] # the kind that is left


def unused(_: Event) -> None:
    """Show that an alias for type checkers alone is accepted."""


def test_a_name_that_leads_nowhere_is_accepted() -> None:
    """What cannot be known is no mistake."""
    Handlers().message_received(unused)  # type: ignore[arg-type] # on purpose
