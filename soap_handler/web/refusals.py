"""Refusals in the log: the reason of each refused request, throttled, without anything that the request holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from soap_handler import telemetry
from soap_handler.log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable


class Refusals:
    """Logs refused requests, each reason once a minute, with how many there were. Thread-safe.

    Refused logins and addresses have events of their own, which count for each caller.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._log_throttle = LogThrottle(clock)

    def note(self, reason: str, caller: str, size: int | None) -> None:
        """Log a refusal. ``reason`` is a sentence of ours; what follows a colon in it may be the name of an element.

        The names are the caller's, so they do not count as reasons of their own. ``size`` is that of the body in bytes,
        as it came; ``None``: that is not known.
        """
        if times := self._log_throttle.due(reason.partition(":")[0]):
            telemetry.emit("request_refused", reason=reason, caller=caller, size=size, times=times)

    def note_http(self, error: Any, caller: str, size: int | None) -> None:  # noqa: ANN401 - waitress has no types
        """Log a refusal by waitress itself, without what it quotes of the request."""
        detail = str(error.body).partition('"')[0].strip()
        if detail.startswith("exceeds max_body"):  # the number in it is waitress's limit, which is above the setting
            detail = "the body is far larger than server.max_body"
        self.note(f"The HTTP request was refused ({error.reason}; {detail})", caller, size)
