"""The handlers that the settings ask for: loaded, and refused where a kind would count as handled without any code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.dispatch import handlers
from soap_handler.errors import HandlerNotFoundError
from soap_handler.notifications import Kind
from soap_handler.sinks.stdout import TARGET as STANDARD_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Collection

    from soap_handler.dispatch.handlers import Handlers
    from soap_handler.settings import Settings


def load(settings: Settings) -> Handlers:
    """Return the handlers that ``handler.target`` names; where it is unset, those of the standard output.

    Raises:
        HandlerNotFoundError: the target cannot be loaded, or what it holds does not fit the other settings.
    """
    refuse_unnamed_output(settings)
    plugged = handlers.load(settings.handler.target or STANDARD_OUTPUT)
    refuse_gaps(plugged, settings)
    return plugged


def load_some(settings: Settings, kinds: Collection[Kind]) -> Handlers:
    """Return the handlers that ``handler.target`` names, which must have one for each of these kinds.

    Raises:
        HandlerNotFoundError: there is no target, it cannot be loaded, or it lacks a kind.
    """
    if settings.handler.target is None:
        raise HandlerNotFoundError('handler.target is missing, and a route leads to "python"; expected your handlers')
    plugged = handlers.load(settings.handler.target)
    missing = [kind.value for kind in kinds if plugged.get(kind) is None and kind not in settings.handler.ignore]
    if missing:
        raise HandlerNotFoundError(
            f"handler.target {settings.handler.target!r} has no handler for {', '.join(missing)}, "
            "which a route leads to it; expected a handler, or another route"
        )
    return plugged


def refuse_unnamed_output(settings: Settings) -> None:
    """Refuse an account with an inbox while no target is set: its messages would be printed, then deleted at EMS.

    Who reads the standard output is unknown, so this must be asked for by name.

    Raises:
        HandlerNotFoundError: says which account, and what to set.
    """
    inboxes = [account.reference for account in settings.account if account.inbox is not None]
    if settings.handler.target is None and inboxes:
        raise HandlerNotFoundError(
            f"handler.target is missing, and the inbox of {', '.join(inboxes)} would be emptied; "
            f'expected your handlers, or "{STANDARD_OUTPUT}" to have messages printed and then deleted from EMS'
        )


def refuse_gaps(plugged: Handlers, settings: Settings) -> None:
    """Refuse handlers that lack a kind which ``handler.ignore`` does not name, or have one which it does name.

    Raises:
        HandlerNotFoundError: says which kinds, and what to do.
    """
    ignored = settings.handler.ignore
    where = f"handler.target {settings.handler.target!r}" if settings.handler.target else "what is plugged in"
    missing = [kind.value for kind in Kind if plugged.get(kind) is None and kind not in ignored]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        raise HandlerNotFoundError(
            f"{where} has no handler for {', '.join(missing)}; "
            f"expected a handler for each kind, or handler.ignore = [{names}] to have them stored and not handled"
        )
    both = [kind.value for kind in Kind if plugged.get(kind) is not None and kind in ignored]
    if both:
        raise HandlerNotFoundError(
            f"handler.ignore names {', '.join(both)}, for which {where} has a handler; expected one or the other"
        )
