"""The JSON Schema of the form that all sinks send: made from the notifications, so that it is always true.

It holds for ``notification.to_dict()`` too, which has neither of the two names that only a delivery knows.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Final, get_type_hints

from soap_handler.notifications import KINDS, FailureReason, OpenEnum, plain_type

_OF_A_DELIVERY: Final = ("stored_at", "attempt")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema: one of four objects, told apart by ``kind``."""
    return {
        "$schema": _DIALECT,
        "title": "A notification of EMS, as soap_handler delivers it",
        "oneOf": [_of_kind(kind.value, cls) for kind, cls in KINDS.items()],
    }


def _of_kind(kind: str, cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    names = [each.name for each in dataclasses.fields(cls)]
    properties: dict[str, Any] = {
        "kind": {"const": kind},
        "key": {"type": "string", "description": "Equal for every copy of the notification: make effects idempotent."},
        **{name: _of(name, hints[name]) for name in names},
        "stored_at": {"type": "string", "format": "date-time", "description": "When the service stored it."},
        "attempt": {"type": "integer", "minimum": 1},
    }
    return {
        "title": kind,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in _OF_A_DELIVERY],
        "dependentRequired": {name: list(_OF_A_DELIVERY) for name in _OF_A_DELIVERY},
        "additionalProperties": False,
    }


def _of(name: str, hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type expression has no narrower type
    """Return the schema of one attribute."""
    kind = plain_type(hint)
    found = _BY_NAME.get(name) or _BY_TYPE.get(kind if isinstance(kind, type) else None)
    if found is not None:
        return found
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        return {"type": "string", "examples": [each.value for each in kind]}  # EMS may add values
    return {"type": "string"}


_BY_NAME: Final[dict[str, dict[str, Any]]] = {
    "original": {"type": "object", "additionalProperties": {"type": "string"}},
    "repaired": {"type": "array", "items": {"type": "string"}},
    "notification_id": {"type": ["string", "null"]},
    "digest": {"type": ["string", "null"]},
}
_REASON: Final[dict[str, Any]] = {
    "code": {"type": ["integer", "null"]},
    "description": {"type": "string"},
    "permanent_failure": {"type": ["boolean", "null"]},
}
_BY_TYPE: Final[dict[Any, dict[str, Any]]] = {
    datetime: {"type": ["string", "null"], "format": "date-time"},
    FailureReason: {"type": ["object", "null"], "properties": _REASON, "required": list(_REASON)},
}
