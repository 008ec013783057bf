"""Alert rules and dashboard: valid to promtool, and each query runs in a real Prometheus that scrapes a service."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import urllib.parse
import uuid
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr

from soap_handler import deploy
from soap_handler.deploy.monitoring import PANELS
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.metrics.catalogue import CATALOGUE
from soap_handler.notifications import MessageReceived
from soap_handler.settings import ConsoleSettings, InboxSettings, Settings
from tests.console.asking import console_of, get, with_console
from tests.support import fork_server
from tests.support.service import ACCOUNTS, Service, serving
from tests.support.waiting import wait_for
from tests.support.wire import NUMBER, PASSWORD, REFERENCE, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMS: Final = EmsAccount(
    reference=REFERENCE, number=NUMBER, username="u", password="p", push_username="x", push_password="x"
)
QUERIES: Final = {panel.title: panel.query for panel in PANELS}
CONFIGURATION: Final = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["alerts.yaml"]
scrape_configs:
  - job_name: soap-handler
    authorization: {{ credentials_file: soap-handler.token }}
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""
TOKEN: Final = "a-long-random-text-of-our-own"
EXPECTED: Final = """
rule_files: ["alerts.yaml"]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'soap_handler_build_info{instance="a"}', values: "1x60" }
      - { series: 'soap_handler_ready{instance="a"}', values: "1x20 0x40" }
      - { series: 'soap_handler_backlog{instance="a",step="dead",account="EX1"}', values: "0x10 2x50" }
      - { series: 'soap_handler_backlog{instance="a",step="handle",account="EX1"}', values: "5x60" }
      - { series: 'soap_handler_worker_restarts_total{instance="a"}', values: "0+0x60" }
    alert_rule_test:
      - { eval_time: 15m, alertname: SoapHandlerNotReady, exp_alerts: [] }
      - { eval_time: 30m, alertname: SoapHandlerSilent, exp_alerts: [] }
      - { eval_time: 30m, alertname: SoapHandlerWorkersRestart, exp_alerts: [] }
      - { eval_time: 5m, alertname: SoapHandlerDead, exp_alerts: [] }
      - eval_time: 30m
        alertname: SoapHandlerNotReady
        exp_alerts:
          - exp_labels: { severity: page, instance: a }
            exp_annotations:
              summary: "a takes no pushes; EMS keeps them for three days."
              action: GET /health/ready at the console says why.
      - eval_time: 30m
        alertname: SoapHandlerDead
        exp_alerts:
          - exp_labels: { severity: page, account: EX1 }
            exp_annotations:
              summary: "2 notifications of EX1 are dead."
              action: soap-handler journal list --state dead says why; journal retry sends them round again.
"""


def rules() -> str:
    return deploy.prometheus(Settings(account=ACCOUNTS, console=ConsoleSettings(port=9123)))


def promtool(folder: Path, *arguments: str) -> None:
    run = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_alert_rules_are_valid_and_fire(tmp_path: Path) -> None:
    """By promtool: their form, and that they fire where they should and are silent where all is well."""
    (tmp_path / "alerts.yaml").write_text(rules())
    (tmp_path / "expected.yaml").write_text(EXPECTED)
    promtool(tmp_path, "check", "rules", "alerts.yaml")
    promtool(tmp_path, "test", "rules", "expected.yaml")


def test_they_name_the_console_of_the_settings() -> None:
    """The lines for prometheus.yml can be copied."""
    assert 'targets: ["127.0.0.1:9123"]' in rules()


def test_they_have_the_token_where_there_is_one(tmp_path: Path) -> None:
    """The lines say from which file Prometheus reads it; the token itself is not printed."""
    settings = with_console(tmp_path)
    console = ConsoleSettings(metrics_token=SecretStr(TOKEN))
    made = deploy.prometheus(settings.model_copy(update={"console": console}))
    assert "#         credentials_file: /etc/prometheus/soap-handler.token\n#       static_configs:" in made
    assert "authorization" not in rules()
    assert TOKEN not in made


def test_every_metric_that_is_asked_for_exists() -> None:
    """A query for a metric that was renamed is empty for ever, and Prometheus does not say so."""
    known = {
        f"{name}{suffix}"
        for name, metric in CATALOGUE.items()
        for suffix in {
            "counter": ("_total",),
            "gauge": ("",),
            "info": ("_info",),
            "histogram": ("_bucket", "_count", "_sum"),
        }[metric.type]
    }
    text = re.sub("#.*", "", rules()) + " ".join(QUERIES.values())
    assert set(re.findall(r"\bsoap_handler_\w+", text)) - known == set()


def test_the_dashboard_is_what_grafana_imports() -> None:
    """Each panel has its own id and place, none over another, and asks the data source that is chosen at the import."""
    dashboard = json.loads(deploy.grafana())
    panels = dashboard["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(PANELS) + 1))
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"${source}"}
    assert dashboard["templating"]["list"][0]["name"] == "source"


@pytest.mark.parametrize("what", ["prometheus", "grafana"])
def test_the_command_prints_them(tmp_path: Path, what: str) -> None:
    """The rules are made from the settings; the dashboard needs none."""
    (tmp_path / "soap-handler.toml").write_text('[console]\n[[account]]\nreference = "EX1"\nanonymous = true\n')
    run = fork_server.run("soap_handler", "deploy", what, cwd=tmp_path)
    made = {"prometheus": rules().replace("9123", "8081"), "grafana": deploy.grafana()}
    assert run.stdout == made[what]


@contextlib.contextmanager
def prometheus(folder: Path, scraped: int) -> Iterator[int]:
    """Run a Prometheus that scrapes a port each second; return its own port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "alerts.yaml").write_text(rules())
    (folder / "soap-handler.token").write_text(TOKEN)
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(port=scraped))
    address = f"--web.listen-address=127.0.0.1:{port}"
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", address]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or is_up(port))
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def is_up(port: int) -> bool:
    try:
        return get(port, "/-/ready")[0] == 200
    except OSError:
        return False


def asked(port: int, query: str) -> list[Any]:
    """Return the answer to a query over the last minute; what Grafana puts in is put in."""
    told = urllib.parse.quote(query.replace("$__rate_interval", "1m"))
    status, _, body = get(port, f"/api/v1/query?query={told}")
    assert status == 200, body
    result: list[Any] = json.loads(body)["data"]["result"]
    return result


def live_through(service: Service, ems: SimulatedEms) -> None:
    """Have each metric count something: a push, its copy, a wrong password, a message that was missed."""
    ems.inbox.mailbox.put(MessageReceived(account=REFERENCE, id=str(uuid.uuid4()), body="missed"))
    body = message(id=str(uuid.uuid4()))
    assert service.post(body).confirms
    assert service.post(body).confirms
    service.post(message().replace(PASSWORD.encode(), b"guessed"))


def test_each_query_runs_in_a_real_prometheus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It scrapes a service that lives through a little of everything: no query fails, and none is empty.

    It has the token of the metrics from a file; that it is on this machine opens nothing here.
    """
    monkeypatch.setattr("soap_handler.console.access.visitors.is_here", lambda: False)
    with SimulatedEms([EMS]) as ems:
        console = ConsoleSettings(port=0, metrics_token=SecretStr(TOKEN))
        live_settings = with_console(tmp_path).model_copy(update={"console": console})
        inbox = InboxSettings(url=ems.inbox_url, username=EMS.username, password=SecretStr(EMS.password))
        account = live_settings.account[0].model_copy(update={"inbox": inbox})
        with serving(live_settings.model_copy(update={"account": (account,)})) as service:
            live_through(service, ems)
            with prometheus(tmp_path, console_of(service)) as port:
                empty = set(QUERIES)

                def all_answered() -> bool:
                    empty.difference_update([title for title in empty if asked(port, QUERIES[title])])
                    return not empty

                with contextlib.suppress(AssertionError):
                    wait_for(all_answered)
                assert empty == set()
                groups = json.loads(get(port, "/api/v1/rules")[2])["data"]["groups"]
                assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
                assert len(asked(port, "ALERTS{alertstate='firing', severity='page'}")) == 0
