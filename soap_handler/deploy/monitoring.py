"""Monitoring: alert rules for Prometheus and a dashboard for Grafana, over the metrics of the console."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from soap_handler.deploy.template import fill
from soap_handler.settings import ConsoleSettings

if TYPE_CHECKING:
    from soap_handler.settings import Settings

_COLUMNS: Final = 24  # of Grafana's grid
_HEIGHT: Final = 8
_AUTHORIZATION: Final = """
#       authorization: # the file has the text of console.metrics_token, and is read anew at each scrape
#         credentials_file: /etc/prometheus/soap-handler.token"""
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """One picture: its title, a query, the legend of its lines, and the unit of its values."""

    title: str
    query: str
    legend: str = ""
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def _number(title: str, query: str, unit: str = "short") -> Panel:
    return Panel(title, query, unit=unit, kind="stat", width=4)


def _by(title: str, function: str, values: str, labels: str, unit: str = "short") -> Panel:
    """Return a panel with a line for each value of the labels."""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels.split(", "))
    return Panel(title, f"{function} by ({labels}) ({values})", legend, unit)


def _rate(title: str, counter: str, labels: str) -> Panel:
    return _by(title, "sum", f"rate(soap_handler_{counter}_total[$__rate_interval])", labels, "ops")


def _in_an_hour(title: str, counter: str, labels: str) -> Panel:
    return _by(title, "sum", f"increase(soap_handler_{counter}_total[1h])", labels)


def _quantile(title: str, share: float, histogram: str, label: str) -> Panel:
    buckets = f"sum by (le, {label}) (rate(soap_handler_{histogram}_bucket[$__rate_interval]))"
    return Panel(title, f"histogram_quantile({share}, {buckets})", f"{{{{{label}}}}}", "s")


PANELS: Final = (
    _number("Ready", "min(soap_handler_ready)"),
    _number("Workers", 'sum(soap_handler_workers{status="serving"})'),
    _number("Waiting for a handler", 'max(sum by (instance) (soap_handler_backlog{step="handle"}))'),
    _number("Oldest of them", 'max(soap_handler_backlog_oldest_seconds{step="handle"})', "s"),
    _number("Waiting for deletion", 'max(sum by (instance) (soap_handler_backlog{step="delete"}))'),
    _number("Dead", 'max(sum by (instance) (soap_handler_backlog{step="dead"}))'),
    _rate("Pushes by result", "pushes", "result"),
    _rate("Pushes by version and kind", "pushes", "api, kind"),
    _quantile("Answer time, 99 %", 0.99, "answer_seconds", "api"),
    _quantile("Commit time, 99 %", 0.99, "commit_seconds", "instance"),
    Panel(
        "Pushes in a commit",
        "rate(soap_handler_commit_pushes_sum[$__rate_interval])"
        " / rate(soap_handler_commit_pushes_count[$__rate_interval])",
        "{{instance}}",
    ),
    _by("Connections", "sum", "soap_handler_connections", "instance"),
    _rate("Attempts by outcome", "attempts", "sink, outcome"),
    _quantile("Attempt time, 95 %", 0.95, "attempt_seconds", "sink"),
    _by("Circuit breakers open", "max", "soap_handler_circuit_open", "of, name"),
    _by("Waiting by account", "max", "soap_handler_backlog", "step, account"),
    _by("Oldest by account", "max", "soap_handler_backlog_oldest_seconds", "step, account", "s"),
    _rate("Deletes", "deletes", "account, outcome"),
    _in_an_hour("Reconciliations in an hour", "reconciliations", "account, outcome"),
    _in_an_hour("Recovered in an hour", "recovered", "account"),
    _rate("Wrong logins", "wrong_logins", "outcome"),
    _by("Inbox logins refused", "max", "soap_handler_inbox_login_refused", "account"),
    _in_an_hour("Dead in an hour", "dead", "instance"),
    _in_an_hour("Workers replaced in an hour", "worker_restarts", "instance"),
    _by("Releases", "count", "soap_handler_build_info", "version"),
)
"""Every panel of the dashboard, in its order."""


def prometheus(settings: Settings) -> str:
    """Return a file of alert rules."""
    console = settings.console or ConsoleSettings()
    token = "" if console.metrics_token is None else _AUTHORIZATION
    return fill("alerts.yaml", address=f"{console.host}:{console.port}", authorization=token)


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
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "datasource": _SOURCE, "expr": panel.query, "legendFormat": panel.legend}],
    }
