"""The spans of a notification: the push, each attempt of its handler, the delete. All are children of the push.

An attribute holds what the log may hold: the key, the account, what was done and how it ended. No body, no number, and
of a handler's error its class alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from soap_handler.trace_context import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from soap_handler.faces.base import Request
    from soap_handler.journal import Claim, Entry
    from soap_handler.journal.watched import Committed

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESULTS: Final = {True: "stored", False: "duplicate", None: "not stored"}
_propagator: Final = TraceContextTextMapPropagator()


class Spans:
    """Makes spans. Thread-safe."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("soap_handler")
        self._open: dict[str, Span] = {}  # those whose commit is under way, by their context

    @property
    def under_way(self) -> int:
        """How many spans are open for a commit that is under way."""
        return len(self._open)

    def push(self, entry: Entry, request: Request, api: str, began: int) -> Entry:
        """Begin the span of each notification of a request; return the entry with their contexts.

        ``began`` is in nanoseconds since 1970.
        """
        others = tuple(self.push(other, request, api, began) for other in entry.others)
        attributes = {**_attributes(entry), "soap_handler.api": api, "client.address": request.caller}
        span = self._begin("push", request.traceparent, SpanKind.SERVER, attributes, began)
        return replace(self._with(entry, span), others=others)

    def recover(self, entry: Entry) -> Entry:
        """Begin the span of a message that the inbox had and whose push never came; return the entry with it."""
        if entry.trace_context is not None:
            return entry
        return self._with(entry, self._begin("recover", "", SpanKind.INTERNAL, _attributes(entry)))

    def committed(self, committed: Committed) -> None:
        """End the spans of a request, as its commit has ended."""
        entry = committed.entry
        for each in (entry, *entry.others):
            span = self._open.pop(each.trace_context or "", None)
            if span is not None:
                if each is entry:  # of the others the journal does not say whether they were new
                    span.set_attribute("soap_handler.result", _RESULTS[committed.is_new])
                if committed.is_new is None:
                    span.set_status(Status(StatusCode.ERROR, "not stored"))
                span.end()

    def attempt(self, claim: Claim, destination: str) -> Span:
        """Begin the span of an attempt; its caller ends it."""
        attributes = _of_claim(claim, claim.attempts) | {"soap_handler.destination": destination}
        return self._begin("handle", claim.trace_context or "", SpanKind.CONSUMER, attributes)

    def deleted(self, claims: Sequence[Claim], ended: datetime, error: str | None = None) -> None:
        """Make the span of a delete of each message; one call may have been for many."""
        for claim in claims:
            attributes = _of_claim(claim, claim.attempts)
            attributes["soap_handler.outcome"] = "failed" if error else "deleted"
            began = _nanoseconds(claim.leased_at)
            span = self._begin("delete", claim.trace_context or "", SpanKind.CLIENT, attributes, began)
            if error:
                span.set_status(Status(StatusCode.ERROR, error))
            span.end(max(began, _nanoseconds(ended)))

    def _begin(
        self, step: str, parent: str, kind: SpanKind, attributes: dict[str, Any], began: int | None = None
    ) -> Span:
        name = f"{step} {attributes['soap_handler.kind']}"
        return self._tracer.start_span(name, _context_of(parent), kind, attributes, start_time=began)

    def _with(self, entry: Entry, span: Span) -> Entry:
        context = traceparent_of(span)
        self._open[context] = span
        return replace(entry, trace_context=context)


def traceparent_of(span: Span) -> str:
    """Return the context of a span as W3C writes it."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _context_of(traceparent: str) -> Context | None:
    """Return the context that a caller or the journal gave; of a malformed one nothing is left."""
    return _propagator.extract({HEADER: traceparent}) if traceparent else None


def _attributes(entry: Entry) -> dict[str, Any]:
    notified = entry.notification
    return {
        "soap_handler.key": notified.key,
        "soap_handler.account": notified.account,
        "soap_handler.kind": notified.kind.value,
        "soap_handler.repaired": list(notified.repaired),
    }


def _of_claim(claim: Claim, attempt: int) -> dict[str, Any]:
    return {
        "soap_handler.key": claim.key,
        "soap_handler.account": claim.account,
        "soap_handler.kind": claim.kind.value,
        "soap_handler.attempt": attempt,
    }


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
