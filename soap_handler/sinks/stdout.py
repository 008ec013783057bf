"""The sink that writes each notification to standard output, as one line of JSON. It is for trying out.

A line that has left this process is called delivered, although a line in a pipe is not on disk yet.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Final

from soap_handler.dispatch.handlers import Handlers
from soap_handler.errors import SinkDownError
from soap_handler.sinks.base import Sink
from soap_handler.sinks.form import encoded

if TYPE_CHECKING:
    from soap_handler.notifications import Notification
    from soap_handler.settings.sinks import StdoutSettings
    from soap_handler.sinks.base import Delivery

TARGET: Final = "soap_handler.sinks.stdout:handlers"
"""What ``handler.target`` is when the settings name none."""
_lock = threading.Lock()  # of standard output


class Stdout(Sink):
    """Standard output, one line at a time."""

    def __init__(self, settings: StdoutSettings) -> None:
        self._format = settings.format

    def deliver(self, delivery: Delivery) -> None:
        """Write one line."""
        _write(encoded(delivery, self._format))

    def probe(self) -> str:
        """Say what it is; there is nothing to reach."""
        return "lines go to standard output; a line in a pipe is not on disk yet"


def _write(line: str) -> None:
    with _lock:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:  # ValueError: it is closed
            raise SinkDownError(f"standard output cannot be written ({error})") from error


handlers = Handlers()


@handlers.all_kinds
def _print(notification: Notification) -> None:
    _write(json.dumps(notification.to_dict()))
