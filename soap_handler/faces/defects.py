"""What a face tells the log of a defect of ours that broke over a request."""

from __future__ import annotations

import traceback

from soap_handler import telemetry


def emit_defect(error: BaseException) -> None:
    """Log a defect by its kind and place, without its message, which may quote what the caller sent."""
    place = "".join(traceback.format_tb(error.__traceback__))
    telemetry.emit("request_failed", error=type(error).__name__, place=place)
