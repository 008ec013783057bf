"""Exposition: the metrics as Prometheus reads them, in its text format or as OpenMetrics."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import InfoMetricFamily
from prometheus_client.exposition import choose_encoder, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

_ENCODED: Final = "utf-8"


def negotiated(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Return the encoder that an Accept header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode, content_type


class Exposition:
    """Renders the metrics of the whole service. Thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(
        self, encoder: tuple[Callable[[CollectorRegistry], bytes], str] = (generate_latest, "text/plain")
    ) -> tuple[bytes, str]:
        """Return the metrics in a format, and its content type."""
        encode, content_type = encoder
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its present values."""
        yield InfoMetricFamily("soap_handler_build", "The release that runs.", value={"version": _release()})


def _release() -> str:
    try:
        return version("soap-handler")
    except PackageNotFoundError:  # it runs from a source tree
        return "unknown"
