"""A provider whose spans stay in memory, and a service with traces that an EMS pushes to and whose inbox it empties."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from soap_handler.app import App
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.settings import (
    AccountSettings,
    DeleteSettings,
    HandlerSettings,
    InboxSettings,
    JournalSettings,
    PushCredentials,
    ReconcileSettings,
    ServerSettings,
    Settings,
    TracingSettings,
)
from soap_handler.tracing import exporting
from tests.support.fast_path import applied_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler import Handlers

ACCOUNT = EmsAccount(reference="EX1", username="user", password="pass", push_username="ems", push_password="word")


class Spans:
    """What was exported so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        """Return the spans in the order of their beginning."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def of(self, step: str) -> list[ReadableSpan]:
        """Return those of a step: push, recover, handle, delete."""
        return [span for span in self.all() if span.name.partition(" ")[0] == step]

    def traces(self) -> set[int]:
        return {span.context.trace_id for span in self.all() if span.context}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Have the services of this test export to memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(exporting, "provider", lambda: provider)
    return Spans(exporter)


@pytest.fixture
def ems() -> Iterator[SimulatedEms]:
    with SimulatedEms([ACCOUNT]) as found:
        yield found


def settings_for(folder: Path, inbox_url: str | None, **tables: object) -> Settings:
    inbox = InboxSettings(url=inbox_url, username="user", password=SecretStr("pass"), timeout=5) if inbox_url else None
    push = (PushCredentials(username="ems", password=SecretStr("word")),)
    made = Settings(
        server=applied_to(ServerSettings(port=0)),
        journal=JournalSettings(url=SecretStr(f"sqlite:///{folder / 'journal.db'}")),
        handler=HandlerSettings(threads=1, backoff=0.1, backoff_cap=0.2),
        reconcile=ReconcileSettings(interval=0),  # it would find, and count as a duplicate, what is pushed meanwhile
        delete=DeleteSettings(backoff=0.1, backoff_cap=0.5),
        account=(AccountSettings(reference="EX1", push=push, inbox=inbox),),
        tracing=TracingSettings(enabled=True),
    )
    return made.model_copy(update=tables)


@contextlib.contextmanager
def serving(settings: Settings, handlers: Handlers | None, ems: SimulatedEms) -> Iterator[App]:
    """Run a service to which this EMS pushes."""
    app = App(settings, handlers)
    ems.handler_url = f"http://127.0.0.1:{app.server.port}/AccountEventHandler"
    thread = threading.Thread(target=app.run)
    thread.start()
    try:
        yield app
    finally:
        app.stop()
        thread.join(30)
        assert not thread.is_alive()
