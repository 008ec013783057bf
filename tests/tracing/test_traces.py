"""Traces: one for each notification, from its push to its delete, across processes and restarts; nothing when off."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from soap_handler import Handlers, MessageReceived, RetryLater
from soap_handler.ems import OutageKind
from soap_handler.errors import JournalRefusedError
from soap_handler.journal import Entry, Selection, State
from soap_handler.settings import HandlerSettings, LogSettings, ReconcileSettings, TracingSettings
from soap_handler.settings.sinks import RouteSettings, WebhookSettings
from soap_handler.trace_context import current
from soap_handler.tracing import exporting
from soap_handler.tracing.journal import TracedJournal
from soap_handler.tracing.spans import Spans as MadeSpans
from tests.sinks.test_webhook import endpoint
from tests.support.database import opened
from tests.support.events import captured_events
from tests.support.waiting import wait_for
from tests.support.wire import Connection, envelope, header, operation, request
from tests.tracing.conftest import serving, settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from soap_handler.app import App
    from soap_handler.ems import SimulatedEms
    from tests.tracing.conftest import Spans

ID = "0f7d1c1e-1111-4000-8000-000000000001"
LOGIN = header(account="EX1", username="ems", password="word")
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def arrived(number: int = 1) -> MessageReceived:
    return MessageReceived(account="EX1", id=f"0f7d1c1e-1111-4000-8000-{number:012}", body="hello")


def are(app: App, *states: State) -> bool:
    return [record.state for record in app.journal.records(Selection())] == list(states)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("soap_handler."): value for name, value in (span.attributes or {}).items()}


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def everything(function: Any) -> Handlers:
    handlers = Handlers()
    handlers.all_kinds(function)
    return handlers


def test_one_trace_from_push_to_delete(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """Push, attempts and delete share a trace, the later ones are children of the push, and each says how it ended."""
    attempts: list[str | None] = []

    def second_time(_: object) -> None:
        attempts.append(current())
        if len(attempts) == 1:
            raise ValueError("hello")

    with serving(settings_for(tmp_path, ems.inbox_url), everything(second_time), ems) as app:
        ems.push(arrived())
        wait_for(lambda: are(app, State.DONE))
        wait_for(lambda: spans.of("delete"))
    push, *handles, delete = spans.all()
    assert [span.name.partition(" ")[0] for span in spans.all()] == ["push", "handle", "handle", "delete"]
    assert len(spans.traces()) == 1
    assert push.context is not None
    assert {parent_of(span) for span in (*handles, delete)} == {push.context.span_id}
    assert (push.kind, delete.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert (attributes(push)["result"], attributes(push)["api"]) == ("stored", "soap")
    outcomes = [[attributes(span)[name] for name in ("attempt", "outcome", "state")] for span in handles]
    assert outcomes == [[1, "failed", "received"], [2, "handled", "handled"]]
    assert attributes(handles[0])["error.type"] == "ValueError"
    assert [span.status.status_code for span in handles] == [StatusCode.ERROR, StatusCode.UNSET]
    assert attributes(delete)["outcome"] == "deleted"
    assert [given and given[36:52] for given in attempts] == [
        f"{span.context.span_id:016x}" for span in handles if span.context
    ]
    assert "hello" not in "".join(span.to_json() for span in spans.all())


def test_the_trace_goes_on_after_a_restart(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """Another process handles and deletes: the context was kept in the row."""

    def later(_: object) -> None:
        raise RetryLater("not now", after=0.1)

    with serving(settings_for(tmp_path, None), everything(later), ems) as app:
        ems.push(arrived())
        wait_for(lambda: spans.of("handle"))
    with serving(settings_for(tmp_path, ems.inbox_url), everything(lambda _: None), ems) as app:
        wait_for(lambda: are(app, State.DONE))
        wait_for(lambda: spans.of("delete"))
    assert len(spans.traces()) == 1
    assert len(spans.of("push")) == 1


def test_a_failed_delete_is_a_span_too(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """Each attempt at it says how it ended."""
    with serving(settings_for(tmp_path, ems.inbox_url), everything(lambda _: None), ems) as app:
        ems.inbox.outage(OutageKind.SERVER_ERROR)
        ems.push(arrived())
        wait_for(lambda: spans.of("delete"))
        ems.inbox.restore()
        wait_for(lambda: are(app, State.DONE))
        wait_for(lambda: [attributes(each)["outcome"] for each in spans.of("delete")][-1] == "deleted")
    assert attributes(spans.of("delete")[0])["outcome"] == "failed"
    assert len(spans.traces()) == 1


def test_a_missed_message_begins_its_trace_where_it_is_found(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """Nothing was pushed, so recovery is the root."""
    ems.inbox.mailbox.put(arrived())
    settings = settings_for(tmp_path, ems.inbox_url, reconcile=ReconcileSettings())
    with serving(settings, everything(lambda _: None), ems) as app:
        wait_for(lambda: are(app, State.DONE))
        wait_for(lambda: spans.of("delete"))
    assert [span.name.partition(" ")[0] for span in spans.all()] == ["recover", "handle", "delete"]
    assert len(spans.traces()) == 1


def test_a_callers_trace_is_continued(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """A proxy before us may write ``traceparent``; one that is malformed begins a trace of our own."""
    with serving(settings_for(tmp_path, None), everything(lambda _: None), ems) as app:
        with Connection(app.server.port) as connection:
            for number, given in enumerate((CALLER, "00-zz-1-01", "")):
                body = envelope(operation(id=f"{ID[:-1]}{number}"), LOGIN)
                head = [f"traceparent: {given}"] if given else []
                assert connection.ask(request(body, *head)).confirms
        wait_for(lambda: len(spans.of("handle")) == 3)
    first, *others = spans.of("push")
    assert first.context is not None
    assert f"{first.context.trace_id:032x}" == CALLER[3:35]
    assert parent_of(first) == int(CALLER[36:52], 16)
    assert [parent_of(each) for each in others] == [None, None]
    assert len(spans.traces()) == 3


def test_each_push_says_whether_it_was_new(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """A duplicate is a span of its own, found by the key; what is refused is no notification and has none."""
    with serving(settings_for(tmp_path, None), everything(lambda _: None), ems) as app:
        ems.push_all([arrived()] * 2)
        assert ems.wait_until_quiet(10)
        with Connection(app.server.port) as connection:
            assert connection.ask(request(envelope(head=header(password="wrong")))).status == 500
        wait_for(lambda: spans.of("handle"))
    assert sorted(str(attributes(span)["result"]) for span in spans.of("push")) == ["duplicate", "stored"]
    assert len({attributes(span)["key"] for span in spans.all()}) == 1


def test_several_notifications_of_a_request_are_several_traces(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """One trace a notification, also where they share a request."""
    with serving(settings_for(tmp_path, None), everything(lambda _: None), ems) as app:
        both = operation(id=ID) + operation(id=f"{ID[:-1]}2")
        with Connection(app.server.port) as connection:
            assert connection.ask(request(envelope(both, LOGIN))).confirms
        wait_for(lambda: are(app, State.DONE, State.DONE))
        wait_for(lambda: len(spans.of("handle")) == 2)
    assert len(spans.of("push")) == 2
    assert len(spans.traces()) == 2


def test_an_attempt_that_hangs_ends_when_it_is_given_up(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """The span does not wait for a handler that does not return, and is not ended twice."""
    released = threading.Event()
    settings = settings_for(
        tmp_path, None, handler=HandlerSettings(threads=1, timeout=0.3, backoff=0.1, backoff_cap=0.2)
    )
    calls: list[object] = []

    def hang_once(notification: object) -> None:
        calls.append(notification)
        if len(calls) == 1:
            released.wait(30)

    with serving(settings, everything(hang_once), ems) as app:
        ems.push(arrived())
        wait_for(lambda: are(app, State.DONE))
        released.set()
    assert [attributes(span)["outcome"] for span in spans.of("handle")] == ["timed_out", "handled"]


def test_a_transactional_handler_says_what_its_transaction_did(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """That the handler returned is not enough: what counts is the commit."""
    handlers = Handlers()
    calls: list[object] = []

    @handlers.message_received(transactional=True)
    def write(_: MessageReceived, connection: Any) -> None:
        calls.append(connection)
        connection.execute(text("SELECT 1"))
        if len(calls) == 1:
            raise ValueError("hello")

    handlers.all_kinds(lambda _: None)
    with serving(settings_for(tmp_path, None), handlers, ems) as app:
        ems.push(arrived())
        wait_for(lambda: are(app, State.DONE))
        wait_for(lambda: len(spans.of("handle")) == 2)
    assert [attributes(span)["outcome"] for span in spans.of("handle")] == ["failed", "handled"]


def test_one_that_the_database_refuses_leaves_no_span_open(tmp_path: Path, spans: Spans) -> None:
    """What is stored together and refused is stored singly; each span ends once."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    made = MadeSpans(exporting.provider())
    with TracedJournal(url, spans=made) as journal:
        with opened(url) as connection:
            connection.execute(
                text(
                    "CREATE TRIGGER odd BEFORE INSERT ON notification WHEN NEW.originator = 'odd' "
                    "BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
        now = journal.now()
        entries = [Entry(replace(arrived(n), originator="odd" if n == 1 else "447700900123"), now) for n in range(3)]
        with pytest.raises(JournalRefusedError):
            journal.record_all(entries)
        wait_for(lambda: made.under_way == 0)  # the last may be told a moment after the error
    assert sorted(attributes(span)["result"] for span in spans.of("recover")) == ["not stored", "stored", "stored"]


def test_spans_of_a_handler_are_inside_its_attempt(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """The attempt is OpenTelemetry's current span while the handler is called."""
    seen: list[int] = []
    handlers = everything(lambda _: seen.append(trace.get_current_span().get_span_context().span_id))
    with serving(settings_for(tmp_path, None), handlers, ems):
        ems.push(arrived())
        wait_for(lambda: spans.of("handle"))
    assert seen == [span.context.span_id for span in spans.of("handle") if span.context]


def test_a_webhook_is_given_the_attempts_context(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """The endpoint's own trace is a part of ours."""
    with endpoint() as hook:
        settings = settings_for(
            tmp_path,
            None,
            route=(RouteSettings(sink="hook"),),
            sink={"hook": WebhookSettings(type="webhook", url=SecretStr(hook.url))},
        )
        with serving(settings, None, ems) as app:
            ems.push(arrived())
            wait_for(lambda: are(app, State.DONE))
            wait_for(lambda: spans.of("handle"))
        ((headers, _),) = hook.requests
    (span,) = spans.of("handle")
    assert span.context is not None
    assert headers["traceparent"][:52] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}"
    assert attributes(span)["destination"] == "hook"


def test_each_of_a_batch_has_a_span_of_its_own(tmp_path: Path, ems: SimulatedEms, spans: Spans) -> None:
    """In the trace of its push; the request, which belongs to all, is in none of them."""
    with endpoint() as hook:
        hook.delay = 0.3  # the others gather meanwhile
        sink = WebhookSettings(type="webhook", url=SecretStr(hook.url), batch=10, concurrency=1)
        settings = settings_for(tmp_path, None, route=(RouteSettings(sink="hook"),), sink={"hook": sink})
        with serving(settings, None, ems) as app:
            for number in range(4):
                ems.push(arrived(number))
            wait_for(lambda: are(app, *[State.DONE] * 4))
            wait_for(lambda: len(spans.of("handle")) == 4)
        assert len(hook.requests) < 4
    traces = {span.context.trace_id for span in spans.of("handle") if span.context}
    assert len(traces) == 4
    assert traces <= spans.traces()
    assert {attributes(span)["state"] for span in spans.of("handle")} == {"done"}
    assert not any(f"{trace:032x}" in headers["traceparent"] for trace in traces for headers, _ in hook.requests)


def test_off_writes_no_column_and_the_log_tells_of_pushes_at_debug_alone(tmp_path: Path, ems: SimulatedEms) -> None:
    """Both watch the journal only where the settings ask for it."""
    for number, (level, told) in enumerate((("info", []), ("debug", ["stored", "duplicate"]))):
        settings = settings_for(
            tmp_path, None, tracing=TracingSettings(), log=LogSettings.model_validate({"level": level})
        )
        with captured_events() as logged, serving(settings, everything(lambda _: None), ems):
            ems.push_all([arrived(number)] * 2)
            assert ems.wait_until_quiet(10)
        accepted = [event for event in logged if event["event"] == "push_accepted"]
        assert [event["result"] for event in accepted] == told
        assert "hello" not in str(accepted)
    engine = create_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT trace_context FROM notification")).scalars().all() == [None, None]
    engine.dispose()


OFF = """
import sys, threading, time
from pathlib import Path
from tests.support.service import serving, settings_for
from tests.support.wire import message
with serving(settings_for(Path(sys.argv[1]))) as service:
    service.take(message())
print([name for name in sys.modules if name.startswith(("opentelemetry", "soap_handler.tracing"))])
"""


def test_off_imports_nothing(tmp_path: Path) -> None:
    """Who does not use traces pays nothing for them, and need not have them installed."""
    ran = subprocess.run([sys.executable, "-c", OFF, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
