"""Whether a function can be called as a handler: its parameters, and the class that it says it takes."""

from __future__ import annotations

import inspect
import types
import typing
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from soap_handler.notifications import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soap_handler.notifications import Kind

_BY_NAME = {of_kind.__name__: of_kind for of_kind in KINDS.values()}


class UnfitHandlerError(TypeError):
    """A handler cannot be called with what it would be given; the text names it and says what was expected."""


def refuse_unfit(function: Callable[..., Any], kinds: Sequence[Kind], *, transactional: bool) -> None:
    """Refuse a function that cannot be called with a notification of these kinds. What cannot be known is accepted.

    Raises:
        UnfitHandlerError: it takes another number of arguments, or says that it takes another class.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)  # a decorator may add arguments of its own
    except (ValueError, TypeError):  # of some functions written in C
        return
    expected = ("a notification", "a connection") if transactional else ("a notification",)
    try:
        signature.bind(*expected)
    except TypeError as error:
        words = " and ".join(expected)
        raise UnfitHandlerError(f"{_named(function)} cannot be called with {words}: {error}") from error
    annotation = _annotation(function, signature)
    unfit = [kind.value for kind in kinds if not _takes(annotation, KINDS[kind])]
    if unfit:
        said = annotation.__name__ if isinstance(annotation, type) else annotation
        raise UnfitHandlerError(
            f"{_named(function)} is the handler of {', '.join(unfit)}, and its parameter is annotated {said}"
        )


def _annotation(function: Callable[..., Any], signature: inspect.Signature) -> Any:  # noqa: ANN401 - any annotation
    """Return the annotation of the first argument; ``Any`` where there is none, or its name leads nowhere.

    A decorator hands on the annotations of what it wraps, and may give that something else.
    """
    first = next(iter(signature.parameters.values()))
    if first.annotation is first.empty or hasattr(function, "__wrapped__"):
        return Any
    if not isinstance(first.annotation, str):
        return first.annotation
    with suppress(Exception):  # a name that is imported for type checkers alone, or anything else that it may say
        of_function = function if inspect.isroutine(function) else type(function).__call__
        return typing.get_type_hints(of_function)[first.name]
    return _BY_NAME.get(first.annotation.rpartition(".")[2], Any)


def _takes(annotation: Any, of_kind: type) -> bool:  # noqa: ANN401 - any annotation
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return any(_takes(each, of_kind) for each in typing.get_args(annotation))
    if annotation is Any or not isinstance(annotation, type) or typing.get_origin(annotation) is not None:
        return True
    try:
        return issubclass(of_kind, annotation)
    except TypeError:  # a protocol
        return True


def _named(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{name} ({code.co_filename}, line {code.co_firstlineno})" if code else name
