"""The sinks by type: where each is made. A sink is imported only when it is used, since some need an extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from soap_handler.errors import HandlerNotFoundError

if TYPE_CHECKING:
    from soap_handler.settings.sinks import SinkSettings
    from soap_handler.sinks.base import Sink

_CLASSES: Final = {
    "webhook": "soap_handler.sinks.webhook:Webhook",
    "soap": "soap_handler.sinks.soap:SoapRelay",
    "command": "soap_handler.sinks.command:Command",
    "amqp": "soap_handler.sinks.amqp:Amqp",
    "sql": "soap_handler.sinks.sql:Sql",
    "files": "soap_handler.sinks.files:Files",
    "stdout": "soap_handler.sinks.stdout:Stdout",
}
_NEEDS: Final = {"amqp": ("pika", "soap-handler[amqp]")}


def build(name: str, settings: SinkSettings) -> Sink:
    """Return the sink of these settings; nothing is connected yet.

    Raises:
        HandlerNotFoundError: it cannot be made, as a library is missing or a file cannot be used.
    """
    kind: str = settings.type  # type: ignore[attr-defined] # each model of a type has it
    module, _, attribute = _CLASSES[kind].partition(":")
    try:
        if kind in _NEEDS:
            import_module(_NEEDS[kind][0])
        make: Any = getattr(import_module(module), attribute)
        sink: Sink = make(settings)
    except ImportError as error:
        extra = _NEEDS.get(kind, ("", ""))[1] or f"the driver that its url names ({error.name})"
        raise HandlerNotFoundError(f"sink.{name} needs a library that is not installed: {extra}") from error
    except (OSError, ValueError) as error:
        raise HandlerNotFoundError(f"sink.{name} cannot be made: {type(error).__name__}") from error
    return sink
