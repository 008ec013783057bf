"""Where spans go is said by the standard environment variables; what cannot be made is an error in words."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from soap_handler import app
from soap_handler.cli import check_findings
from soap_handler.diagnosis.finding import Verdict
from soap_handler.errors import TracingError
from soap_handler.settings import Settings, TracingSettings
from soap_handler.tracing import exporting
from tests.cli.conftest import write_configuration
from tests.support.service import ACCOUNTS

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace.export import SpanExporter

SERVED = """
import sys
from pathlib import Path
from soap_handler.settings import TracingSettings
from tests.support.service import Service, settings_for
from tests.support.wire import message
settings = settings_for(Path(sys.argv[1])).model_copy(update={"tracing": TracingSettings(enabled=True)})
service = Service(settings)
service.start()
service.take(message())
service.stop()
"""


def test_the_service_exports_over_otlp(tmp_path: Path) -> None:
    """A service of its own process, with nothing set but the endpoint; all is exported when it has ended."""
    posted: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    try:
        subprocess.run([sys.executable, "-c", SERVED, str(tmp_path)], env=environment, check=True)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert {path for path, _ in posted} == {"/v1/traces"}
    sent = b"".join(body for _, body in posted)
    for name in (b"push MessageReceived", b"handle MessageReceived", b"soap-handler"):
        assert name in sent


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin-of-old"},
            "no exporter of traces is installed under the name 'zipkin-of-old'",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/xml'; expected http/proto"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "no exporter of traces is installed under the name 'otlp_proto_grpc'",
        ),
    ],
)
def test_what_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str) -> None:
    """The service does not start with traces that go nowhere."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TracingError, match=said):
        list(exporting.exporters(os.environ))


@pytest.mark.parametrize("enabled", [True, False])
def test_check_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, enabled: bool) -> None:
    """Before the service is started, where traces are on."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin-of-old")
    path = write_configuration(tmp_path, f"[tracing]\nenabled = {str(enabled).lower()}")
    found = [each for each in check_findings.findings(path, with_inbox=False) if each.what == "tracing"]
    assert [(each.verdict, "zipkin-of-old" in each.text) for each in found] == [(Verdict.WRONG, True)] * enabled


def test_none_exports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with any program that speaks OpenTelemetry."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert list(exporting.exporters(os.environ)) == []


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "soap_handler.tracing.assembly", None)
    with pytest.raises(TracingError, match=r"soap-handler\[otel\]"):
        app.tracing(Settings(account=ACCOUNTS, tracing=TracingSettings(enabled=True)))


def test_a_collector_that_does_not_answer_does_not_keep_the_service() -> None:
    """The end of the drain has a limit, whatever the exporter does."""
    released = threading.Event()

    class Stuck:
        def export(self, _spans: object) -> None:
            released.wait(60)

        def shutdown(self) -> None:
            pass

    stuck: SpanExporter = Stuck()  # type: ignore[assignment] # as one that waits for its collector
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(stuck))
    provider.get_tracer("test").start_span("one").end()
    began = time.monotonic()
    exporting.end(provider, 0.2)
    took = time.monotonic() - began
    released.set()
    assert took < 10
