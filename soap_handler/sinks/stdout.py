"""The sink that writes each notification to standard output, as one line of JSON."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import to_dict
from soap_handler.sinks.base import handlers_of

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

TARGET: Final = "soap_handler.sinks.stdout:handlers"
"""What ``handler.target`` is when the settings name none."""


class StandardOutput:
    """Writes lines to standard output, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def deliver(self, notification: Notification) -> None:
        """Write the notification's kind, key and attributes; handled means that the line has left this process."""
        line = json.dumps({"kind": notification.kind.value, "key": notification.key, **to_dict(notification)})
        with self._lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


handlers = handlers_of(StandardOutput())
