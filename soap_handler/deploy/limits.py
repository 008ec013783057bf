"""Limits of what stands around the service, reckoned from the service's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from soap_handler.settings import ServerSettings, Settings

STOP_MARGIN_SECONDS: Final = 15
"""Beyond the drain, to release leases and close the journal."""
_OTHER_OPEN_FILES: Final = 512  # besides the connections
_ANSWER_MARGIN_SECONDS: Final = 10.0


def stop_seconds(server: ServerSettings) -> int:
    """Return how long the service may take to end."""
    return math.ceil(server.drain_timeout) + STOP_MARGIN_SECONDS


def open_files(server: ServerSettings) -> int:
    """Return how many files the service may have open."""
    return server.connections + _OTHER_OPEN_FILES


def answer_seconds(settings: Settings) -> float:
    """Return how long a proxy must wait for an answer: longer than the service takes at most."""
    return settings.journal.timeout + settings.server.login_failure_delay + _ANSWER_MARGIN_SECONDS
