"""Groups of options: dataclasses whose fields are options of typer, so that each is said once."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def grouped(*omitted: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command that has a group of options as a parameter: the options take its place for typer.

    ``omitted`` are names of fields that are no options of this command; they have their default.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = signature(command, eval_str=True)
        groups = {name: each.annotation for name, each in own.parameters.items() if is_dataclass(each.annotation)}

        @wraps(command)
        def run(**given: Any) -> None:  # noqa: ANN401 - what typer has read
            command(**{name: _read(group, given) for name, group in groups.items()}, **given)

        parameters = [
            option
            for name, each in own.parameters.items()
            for option in (_options(groups[name], omitted) if name in groups else [each])
        ]
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined] # typer reads these two
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _options(group: Any, omitted: Sequence[str]) -> Iterator[Parameter]:  # noqa: ANN401 - a class
    """Yield the options of a class, those of a class in it too."""
    hints = get_type_hints(group, include_extras=True)
    for each in fields(group):
        if is_dataclass(hints[each.name]):
            yield from _options(hints[each.name], omitted)
        elif each.name not in omitted:
            yield Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])


def _read(group: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - a class
    """Return an instance of a class with the values that are its options', which are taken out of ``given``."""
    hints = get_type_hints(group)
    inner = {name: _read(hint, given) for name, hint in hints.items() if is_dataclass(hint)}
    return group(**inner, **{name: given.pop(name) for name in hints if name in given})
