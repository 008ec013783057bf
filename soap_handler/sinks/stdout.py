"""The sink that writes each notification to standard output, as one line of JSON."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING

from soap_handler.dispatch.handlers import Handlers
from soap_handler.notifications import to_dict

if TYPE_CHECKING:
    from soap_handler.notifications import Notification

TARGET = "soap_handler.sinks.stdout:handlers"
"""What ``handler.target`` is when the settings name none."""

handlers = Handlers()
_one_at_a_time = threading.Lock()


@handlers.all_kinds
def write_line(notification: Notification) -> None:
    """Write the notification's kind, key and attributes; handled means that the line has left this process."""
    line = json.dumps({"kind": notification.kind.value, "key": notification.key, **to_dict(notification)})
    with _one_at_a_time:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
