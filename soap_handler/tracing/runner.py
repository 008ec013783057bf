"""Runs with spans: each attempt is one, current while the handler is called, and its context goes to the sinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Status, StatusCode, use_span

from soap_handler.dispatch.run import Outcome, Runner, label
from soap_handler.trace_context import carried
from soap_handler.tracing.spans import traceparent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from soap_handler.dispatch.destination import Batches, Destination
    from soap_handler.dispatch.run import Run
    from soap_handler.journal import Journal, Settlement
    from soap_handler.tracing.spans import Spans

_GOOD: Final[frozenset[Outcome]] = frozenset({Outcome.HANDLED, Outcome.COMMITTED, Outcome.IGNORED})


class TracedRunner(Runner):
    """Carries out runs, each in a span. Thread-safe."""

    def __init__(self, spans: Spans, journal: Journal, destination: Destination, *args: Any) -> None:  # noqa: ANN401 - those of Runner
        """Take what :class:`Runner` takes, after the spans."""
        super().__init__(journal, destination, *args)
        self._spans = spans
        self._destination = destination.name
        self._open: dict[int, Span] = {}  # of the runs under way, by the number of their row

    def carry_out(self, run: Run) -> Outcome:
        """Call the handler and settle how it ended, in a span."""
        span = self._spans.attempt(run.claim, self._destination)
        self._open[run.claim.seq] = span
        with use_span(span, end_on_exit=False), carried(traceparent_of(span)):
            outcome = super().carry_out(run)
        if outcome is not Outcome.GIVEN_UP:  # else the watchdog has ended the span
            self._end(run, outcome)
        return outcome

    def _carry_out_together(self, runs: Sequence[Run], batches: Batches) -> list[Outcome]:
        """Deliver several in one call, each in a span; none is current, as the call belongs to all."""
        for run in runs:
            self._open[run.claim.seq] = self._spans.attempt(run.claim, self._destination)
        outcomes = super()._carry_out_together(runs, batches)
        for run, outcome in zip(runs, outcomes, strict=True):
            if outcome is not Outcome.GIVEN_UP:
                self._end(run, outcome)
        return outcomes

    def settle(self, run: Run) -> None:
        """Hand in the result of a run; that of one that hangs ends its span here."""
        super().settle(run)
        if run.hangs:
            self._end(run, Outcome.GIVEN_UP)

    def _settlement(self, run: Run) -> Settlement:
        settlement = super()._settlement(run)
        if span := self._open.get(run.claim.seq):
            span.set_attribute("soap_handler.state", settlement.state.value)
        return settlement

    def _end(self, run: Run, outcome: Outcome) -> None:
        span = self._open.pop(run.claim.seq, None)
        if span is None:
            return
        span.set_attribute("soap_handler.outcome", label(run, outcome))
        if outcome not in _GOOD:
            failure = run.failure
            # The text of an error of the customer's may quote a message; its class does not.
            what = failure.text.partition(":")[0] if failure and failure.trace else label(run, outcome)
            span.set_attribute("error.type", what)
            span.set_status(Status(StatusCode.ERROR))
        span.end()
