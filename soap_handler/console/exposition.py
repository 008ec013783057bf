"""Exposition: the metrics as Prometheus reads them, in its text format or as OpenMetrics.

What the workers count is read from the memory; what waits is asked of the journal, and kept for some seconds.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from prometheus_client.utils import floatToGoString

from soap_handler.console.refreshed import Refreshed
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal.questions.backlog import STEPS, backlog
from soap_handler.metrics import catalogue
from soap_handler.metrics.instruments import Histogram
from soap_handler.metrics.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric as Family

    from soap_handler.console.health import Health
    from soap_handler.journal import Journal
    from soap_handler.journal.questions.backlog import Backlog
    from soap_handler.metrics.instruments import Metric
    from soap_handler.metrics.shared_memory import Key, SharedMemory

KEPT_SECONDS: Final = 5.0
"""For so long what waits is not looked for again."""
_UNKNOWN: Final = "not configured"  # an account of which rows are left
_FAMILIES: Final[Mapping[str, Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "info": InfoMetricFamily,
}


class Exposition:
    """Renders the metrics of the whole service. Thread-safe."""

    def __init__(self, memory: SharedMemory, journal: Journal, health: Health, accounts: Iterable[str]) -> None:
        """``accounts`` are the configured references, the only ones that become labels."""
        self._memory = memory
        self._health = health
        self._accounts: frozenset[str] = frozenset()
        self.expect(accounts)
        self._backlog: Refreshed[Backlog | None] = Refreshed(lambda: _look(journal), KEPT_SECONDS)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def expect(self, accounts: Iterable[str]) -> None:
        """Take up other accounts, after a reload."""
        self._accounts = frozenset(accounts)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics in the format that an Accept header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def open_circuits(self) -> dict[tuple[str, str], int]:
        """Return how many workers' circuit breaker is open, by what it is of (``sink``, ``inbox``) and its name."""
        gauges = (each for each in self._memory.totals().items() if each[0][0] == catalogue.CIRCUIT_OPEN.name)
        return {(key[1], key[2]): int(cells[0]) for key, cells in gauges if cells[0]}

    def workers(self) -> tuple[int, int]:
        """Return how many workers serve, and how many there are to be."""
        return self._memory.statuses.count(Status.SERVING), self._memory.workers

    def collect(self) -> Iterator[Family]:
        """Yield each metric with its present values."""
        totals = self._memory.totals()
        for metric in catalogue.COUNTED:
            yield _counted(metric, totals)
        yield from self._asked()

    def describe(self) -> list[Family]:
        """Return nothing, so that what is registered is not collected at once."""
        return []

    def _asked(self) -> Iterator[Family]:
        ready = _family(catalogue.READY)
        ready.add_metric((), float(self._health.readiness().is_ready))
        yield ready
        workers = _family(catalogue.WORKERS)
        for status in (Status.SERVING, Status.DRAINING):
            workers.add_metric((status.name.lower(),), self._memory.statuses.count(status))
        yield workers
        build = _family(catalogue.BUILD)
        build.add_metric((), {"version": _release(), "python": platform.python_version()})
        yield build
        found = self._backlog.get()
        if found is not None:
            yield from self._waiting(found)

    def _waiting(self, found: Backlog) -> Iterator[Family]:
        count, oldest, refused = map(_family, (catalogue.BACKLOG, catalogue.BACKLOG_OLDEST, catalogue.LOGIN_REFUSED))
        accounts = self._accounts
        sums = {(step, account): (0, 0.0) for step in STEPS.values() for account in accounts}
        for each in found.waiting:
            labels = each.step, each.account if each.account in accounts else _UNKNOWN
            age = max(0.0, (found.at - each.oldest).total_seconds()) if each.oldest else 0.0
            known = sums.get(labels, (0, 0.0))
            sums[labels] = (known[0] + each.number, max(known[1], age))
        for labels, (number, age) in sorted(sums.items()):
            count.add_metric(labels, number)
            oldest.add_metric(labels, age)
        for account in sorted(accounts):
            refused.add_metric((account,), float(account in found.refused))
        yield from (count, oldest, refused)


def _look(journal: Journal) -> Backlog | None:
    try:
        return journal.read(lambda connection: backlog(connection, journal.now()))
    except JournalUnavailableError:
        return None


def _family(metric: Metric) -> Any:  # noqa: ANN401 - the families share no interface for adding
    labels = () if metric.type == "info" else metric.labels
    return _FAMILIES[metric.type](metric.name, metric.meaning, labels=labels)


def _counted(metric: Metric, totals: Mapping[Key, list[float]]) -> Family:
    family = _family(metric)
    found = {key[1:]: cells for key, cells in sorted(totals.items()) if key[0] == metric.name}
    if not metric.labels:
        found.setdefault((), [0.0] * metric.width)
    for labels, cells in found.items():
        if isinstance(metric, Histogram):
            bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
            family.add_metric(labels, list(zip(bounds, accumulate(cells[:-1]), strict=True)), cells[-1])
        else:
            family.add_metric(labels, cells[0])
    return family  # type: ignore[no-any-return]


def _release() -> str:
    try:
        return version("soap-handler")
    except PackageNotFoundError:  # it runs from a source tree
        return "unknown"
