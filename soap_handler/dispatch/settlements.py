"""From the end of a run to its settlement: the one place that decides where a notification goes after its handler."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from soap_handler import clock, telemetry
from soap_handler.dispatch.failure import Verdict
from soap_handler.journal import Settlement, State, Step
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from soap_handler.dispatch.failure import Failure
    from soap_handler.journal import Claim
    from soap_handler.retry import RetryPolicy


class Settlements:
    """Makes the settlement of a run that ended. Thread-safe.

    Handled leads to ``handled`` where a message must leave the EMS inbox, else to ``done``. Failed leads back to
    ``received`` with a due time, or to ``dead`` after the last attempt.
    """

    def __init__(
        self,
        retry: RetryPolicy,
        needs_delete: Callable[[str], bool],
        refusals_allowed: int | None = None,
        *,
        queue_now: Callable[[], datetime] = clock.now,
    ) -> None:
        """``needs_delete`` says of an account, by its reference, whether its messages must leave an inbox.

        ``refusals_allowed``: attempts that the destination may refuse, before the notification is dead.
        ``queue_now`` is the clock of due times.
        """
        self._queue_now = queue_now
        self._retry = retry
        self._refusals_allowed = refusals_allowed
        self._needs_delete = needs_delete
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing

    def of(self, claim: Claim, started_at: datetime, failure: Failure | None) -> Settlement:
        """Return the settlement of a run that ended just now, handled or with a failure."""
        now, ended_at = self._queue_now(), clock.now()
        if failure is None:
            state, due_at = self._handled(claim, now)
            return Settlement(claim, Step.HANDLE, state, due_at, started_at, ended_at)
        if failure.verdict is Verdict.PAUSED:  # the destination's fault, and its breaker is open: no attempt
            due_at = now + timedelta(seconds=failure.after)
            return Settlement(
                claim, Step.HANDLE, State.RECEIVED, due_at, started_at, ended_at, failure.text, uncalled="paused"
            )
        state, due_at = self._failed(claim, now, failure)
        return Settlement(claim, Step.HANDLE, state, due_at, started_at, ended_at, failure.text, trace=failure.trace)

    def ignored(self, claim: Claim, started_at: datetime) -> Settlement:
        """Return the settlement of what no handler is wanted for: done, and never deleted from an inbox."""
        return Settlement(claim, Step.HANDLE, State.DONE, None, started_at, clock.now(), uncalled="ignored")

    def dead(self, claim: Claim, error: str) -> Settlement:
        """Return the settlement of a claim whose handler must not be called once more."""
        telemetry.emit("notification_dead", key=claim.key, attempts=claim.attempts - 1)
        return Settlement(claim, Step.HANDLE, State.DEAD, None, claim.leased_at, clock.now(), error, uncalled="dead")

    def has_no_attempt_left(self, claim: Claim) -> bool:
        """Whether the attempts before this claim were all that are allowed."""
        return self._retry.is_over(claim.attempts - 1)

    def _handled(self, claim: Claim, now: datetime) -> tuple[State, datetime | None]:
        in_inbox = claim.kind is Kind.MESSAGE_RECEIVED and claim.message_id is not None and not claim.has_left_inbox
        return (State.HANDLED, now) if in_inbox and self._needs_delete(claim.account) else (State.DONE, None)

    def _failed(self, claim: Claim, now: datetime, failure: Failure) -> tuple[State, datetime | None]:
        due_at = self._retry.next_at(claim.attempts, now, self._random)
        if due_at is not None and not self._is_final(failure, claim.attempts):
            return State.RECEIVED, max(due_at, now + timedelta(seconds=failure.after))
        telemetry.emit("notification_dead", key=claim.key, attempts=claim.attempts)
        return State.DEAD, None

    def _is_final(self, failure: Failure, attempts: int) -> bool:
        """Whether a failure says by itself that there is nothing to come."""
        refused_too_often = self._refusals_allowed is not None and attempts >= self._refusals_allowed
        return failure.verdict is Verdict.NEVER or (failure.verdict is Verdict.REFUSED and refused_too_often)
