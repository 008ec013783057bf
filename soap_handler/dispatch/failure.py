"""How an attempt failed: what was said, and what that means for the notification and for its destination."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from soap_handler.dispatch.frames import trace_of
from soap_handler.errors import GiveUp, RetryLater, SinkDownError, SinkRefusedError
from soap_handler.retry import LONGEST_SECONDS

if TYPE_CHECKING:
    from soap_handler.dispatch.breaker import Breaker

_TEXT_LENGTH: Final = 500  # characters of an error's text that the journal keeps
_BEHIND_OTHERS_SECONDS: Final = 0.5  # after the end of a pause: another notification is to find out how it is, if any


class Verdict(Enum):
    """What follows from a failure. The value is the outcome's label in metrics."""

    LATER = "failed"
    """It is tried again after the back-off, until there is no attempt left."""
    NEVER = "given_up"
    """It is dead at once: the handler gave up."""
    REFUSED = "refused"
    """The destination works and refused this one; a few times, then it is dead."""
    PAUSED = "paused"
    """The destination is out of order and its breaker is open: it is no attempt."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed."""

    text: str
    """What was said, for the history; without personal data where it is ours."""
    verdict: Verdict = Verdict.LATER
    after: float = 0.0
    """The shortest time until the next attempt, in seconds."""
    trace: str | None = None
    """The frames of an error which is neither an order nor a destination's, without any value."""


def failure_of(error: BaseException, breaker: Breaker | None = None) -> Failure:
    """Return what an error means that a handler or a sink raised; a breaker is told of what is the destination's."""
    said = text_of(error)
    match error:
        case RetryLater():
            return Failure(said, Verdict.LATER, _within_bounds(error.after))
        case GiveUp():
            return Failure(said, Verdict.NEVER)
        case SinkRefusedError():
            return Failure(said, Verdict.REFUSED)
        case SinkDownError() if breaker is not None:
            if breaker.failed(str(error), error.after, for_good=error.for_good, is_echo=error.is_echo):
                return Failure(said, Verdict.PAUSED, breaker.open_for() + _BEHIND_OTHERS_SECONDS)
            return Failure(said, Verdict.LATER, _within_bounds(error.after))
        case _:
            return Failure(said, trace=trace_of(error))


def _within_bounds(after: float | None) -> float:
    """Return seconds that can be added to any time of today."""
    return float(min(max(after or 0.0, 0.0), LONGEST_SECONDS))


def text_of(error: BaseException) -> str:
    """Return what an error says, for the journal."""
    try:
        said = str(error)
        name = "" if isinstance(error, RetryLater | GiveUp | SinkDownError | SinkRefusedError) else type(error).__name__
        return (f"{name}: {said}" if name else said)[:_TEXT_LENGTH]
    except BaseException:  # noqa: BLE001 - a customer's exception may fail even at this
        return type(error).__name__
