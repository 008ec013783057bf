"""Where spans go: an SDK provider made from the standard ``OTEL_*`` environment variables, and its end.

The exporters are found by their entry points, as OpenTelemetry's own launcher does: ``OTEL_TRACES_EXPORTER`` names them
(``otlp`` by default), ``OTEL_EXPORTER_OTLP_PROTOCOL`` says how OTLP is spoken (``http/protobuf`` by default). Endpoint,
headers, certificates, sampler, batch sizes and resource attributes are read by OpenTelemetry itself.
"""

from __future__ import annotations

import os
import threading
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from soap_handler.errors import TracingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace.export import SpanExporter

_GROUP: Final = "opentelemetry_traces_exporter"
_PROTOCOLS: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def provider() -> TracerProvider:
    """Return the provider that the process has, or a new one, which handlers find by OpenTelemetry's API too.

    It has one already where the handlers' module, or OpenTelemetry's launcher, made it: then that one's settings hold.

    Raises:
        TracingError: an exporter that the environment names is not installed or cannot be made.
    """
    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        return present
    made = TracerProvider(resource=_resource(), shutdown_on_exit=False)  # ended by `end`, which has a limit
    for exporter in exporters(os.environ):
        made.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(made)
    return made


def end(ending: TracerProvider, seconds: float) -> None:
    """Export what is left, for so long at most: a collector that is away does not keep the process.

    The provider stays open: it is the process's, which may have spans of its handlers yet.
    """
    thread = threading.Thread(target=ending.force_flush, args=(int(seconds * 1000),), name="traces", daemon=True)
    thread.start()
    thread.join(seconds)


def _resource() -> Resource:
    """Return what names this service; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` win."""
    named = Resource.create().attributes.get(SERVICE_NAME, "")
    ours = {SERVICE_VERSION: version("soap-handler")}
    if str(named).startswith("unknown_service"):
        ours[SERVICE_NAME] = "soap-handler"
    return Resource.create(ours)


def exporters(environment: Mapping[str, str]) -> Iterator[SpanExporter]:
    """Yield the exporters that the environment names.

    Raises:
        TracingError: one is not installed or cannot be made.
    """
    for name in (environment.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        if name.strip() not in {"", "none"}:
            yield _exporter(_entry_point(name.strip(), environment))


def _entry_point(name: str, environment: Mapping[str, str]) -> str:
    """Return the name under which an exporter is registered."""
    if name != "otlp":
        return name
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    try:
        return _PROTOCOLS[protocol or "http/protobuf"]
    except KeyError:
        expected = " or ".join(_PROTOCOLS)
        raise TracingError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; expected {expected}") from None


def _exporter(name: str) -> SpanExporter:
    found = next(iter(entry_points(group=_GROUP, name=name)), None)
    if found is None:
        raise TracingError(f"no exporter of traces is installed under the name {name!r}, which OTEL_* asks for")
    try:
        exporter: SpanExporter = found.load()()
    except Exception as error:
        raise TracingError(f"the exporter of traces {name!r} cannot be made: {type(error).__name__}") from error
    return exporter
