"""The one JSON form of a notification, which all sinks send. Its JSON Schema is ``notification.schema.json``.

Attributes have the spelling of the contract's attributes; times are RFC 3339 with ``Z``; what EMS did not send is null.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from soap_handler.notifications import instant

if TYPE_CHECKING:
    from soap_handler.sinks.base import Delivery

Format = Literal["json", "cloudevents"]
EVENT_TYPE_PREFIX: Final = "soap-handler."
"""Before the kind, in the ``type`` of a CloudEvent."""


def form(delivery: Delivery) -> dict[str, Any]:
    """Return the notification's own JSON form, and what only the delivery knows."""
    return {
        **delivery.notification.to_dict(),
        "stored_at": instant(delivery.stored_at),
        "attempt": delivery.attempt,
    }


def cloud_event(delivery: Delivery) -> dict[str, Any]:
    """Return the notification inside a CloudEvents 1.0 envelope, structured mode; ``id`` is the key."""
    data = form(delivery)
    return {
        "specversion": "1.0",
        "id": data["key"],
        "source": f"/accounts/{delivery.notification.account}",
        "type": EVENT_TYPE_PREFIX + data["kind"],
        "time": data["stored_at"],
        "datacontenttype": "application/json",
        "data": data,
    }


def content_type(form_of: Format, *, in_batch: bool = False) -> str:
    """Return the media type of :func:`encoded`, or of an array of such."""
    if form_of == "json":
        return "application/json"
    return "application/cloudevents-batch+json" if in_batch else "application/cloudevents+json"


def encoded(delivery: Delivery, form_of: Format = "json") -> str:
    """Return the JSON text in ASCII: NUL and lone surrogates survive as escapes."""
    return written(cloud_event(delivery) if form_of == "cloudevents" else form(delivery))


def written(values: dict[str, Any]) -> str:
    """Return the JSON text of plain values, as :func:`encoded` has it."""
    return json.dumps(values, separators=(",", ":"))
