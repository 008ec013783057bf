"""Monitoring: alert rules for Prometheus and a dashboard for Grafana, over the metrics of the console."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from soap_handler.deploy.template import fill
from soap_handler.settings import ConsoleSettings

if TYPE_CHECKING:
    from soap_handler.settings import Settings

_RATE: Final = "[$__rate_interval]"
_COLUMNS: Final = 24  # of Grafana's grid
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """One picture: its title, the unit of its values, and a query with the legend of its lines."""

    title: str
    unit: str
    query: str
    legend: str = ""
    kind: str = "timeseries"
    width: int = 8
    help: str = ""


def _quantile(share: float, metric: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{_RATE})))"


PANELS: Final = (
    Panel("Ready", "short", "min(soap_handler_ready)", kind="stat", width=4, help="1: pushes are taken"),
    Panel("Workers", "short", 'sum(soap_handler_workers{status="serving"})', kind="stat", width=4),
    Panel("Waiting for a handler", "short", 'sum(soap_handler_backlog{step="handle"})', kind="stat", width=4),
    Panel("Oldest of them", "s", 'max(soap_handler_backlog_oldest_seconds{step="handle"})', kind="stat", width=4),
    Panel("Waiting for deletion", "short", 'sum(soap_handler_backlog{step="delete"})', kind="stat", width=4),
    Panel("Dead", "short", 'sum(soap_handler_backlog{step="dead"})', kind="stat", width=4, help="a person must look"),
    Panel("Pushes by result", "reqps", f"sum by (result) (rate(soap_handler_pushes_total{_RATE}))", "{{result}}"),
    Panel("Pushes by version", "reqps", f"sum by (api, kind) (rate(soap_handler_pushes_total{_RATE}))", "{{api}} {{kind}}"),
    Panel("Answer time, 99 %", "s", _quantile(0.99, "soap_handler_answer_seconds", ", api"), "{{api}}"),
    Panel("Commit time, 99 %", "s", _quantile(0.99, "soap_handler_commit_seconds"), "commit"),
    Panel(
        "Pushes in a commit",
        "short",
        f"rate(soap_handler_commit_pushes_sum{_RATE}) / rate(soap_handler_commit_pushes_count{_RATE})",
        "{{instance}}",
    ),
    Panel("Connections", "short", "sum by (instance) (soap_handler_connections)", "{{instance}}"),
    Panel("Attempts by outcome", "ops", f"sum by (sink, outcome) (rate(soap_handler_attempts_total{_RATE}))", "{{sink}} {{outcome}}"),
    Panel("Attempt time, 95 %", "s", _quantile(0.95, "soap_handler_attempt_seconds", ", sink"), "{{sink}}"),
    Panel("Circuit breakers open", "short", "max by (of, name) (soap_handler_circuit_open)", "{{of}} {{name}}"),
    Panel("Waiting by account", "short", "sum by (step, account) (soap_handler_backlog)", "{{step}} {{account}}"),
    Panel("Oldest by account", "s", "max by (step, account) (soap_handler_backlog_oldest_seconds)", "{{step}} {{account}}"),
    Panel("Deletes", "ops", f"sum by (account, outcome) (rate(soap_handler_deletes_total{_RATE}))", "{{account}} {{outcome}}"),
    Panel("Reconciliations in an hour", "short", "sum by (account, outcome) (increase(soap_handler_reconciliations_total[1h]))", "{{account}} {{outcome}}"),
    Panel("Recovered in an hour", "short", "sum by (account) (increase(soap_handler_recovered_total[1h]))", "{{account}}"),
    Panel("Wrong logins", "ops", f"sum by (outcome) (rate(soap_handler_wrong_logins_total{_RATE}))", "{{outcome}}"),
    Panel("Inbox logins refused", "short", "max by (account) (soap_handler_inbox_login_refused)", "{{account}}"),
    Panel("Dead in an hour", "short", "sum(increase(soap_handler_dead_total[1h]))", "became dead"),
    Panel("Workers replaced in an hour", "short", "sum by (instance) (increase(soap_handler_worker_restarts_total[1h]))", "{{instance}}"),
    Panel("Releases", "short", "count by (version) (soap_handler_build_info)", "{{version}}"),
)  # fmt: skip
"""Every panel of the dashboard, in its order."""


def prometheus(settings: Settings) -> str:
    """Return a file of alert rules."""
    console = settings.console or ConsoleSettings()
    return fill("alerts.yaml", address=f"{console.host}:{console.port}")


def grafana() -> str:
    """Return a dashboard as Grafana imports it; it asks for the data source."""
    dashboard = {
        "title": "soap-handler",
        "uid": "soap-handler",
        "tags": ["soap-handler", "sms"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _placed(),
    }
    return json.dumps(dashboard, indent=2) + "\n"


def _placed() -> list[dict[str, Any]]:
    """Return the panels, each with its place in the grid."""
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(PANELS, 1):
        height = _HEIGHT if panel.kind == "timeseries" else _HEIGHT // 2
        if x + panel.width > _COLUMNS:
            x, y = 0, y + placed[-1]["gridPos"]["h"]
        placed.append(_panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": height}))
        x += panel.width
    return placed


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "datasource": _SOURCE, "expr": panel.query, "legendFormat": panel.legend}],
    }
