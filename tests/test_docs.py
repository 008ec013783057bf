"""The pages of documentation tell the truth where a program can tell: settings, events, paths, commands, examples."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import soap_handler
from soap_handler.metrics.catalogue import CATALOGUE
from soap_handler.settings import describe
from soap_handler.settings.renamed import RENAMED
from soap_handler.telemetry import EVENTS

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = Path(soap_handler.__file__).parent
FOLDER: Final = PACKAGE / "docs"
PAGES: Final = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")

EXAMPLES: Final = [
    pytest.param(example, id=f"{name}-{number}")
    for name, text in {"readme": README, **PAGES}.items()
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
]

SETTINGS_HEAD: Final = """\
# Settings

Every setting with its type, default and meaning, and the ways to give it.

A TOML file, `soap-handler.toml` or `--config FILE`; `SOAP_HANDLER_CONFIG` names one too. Each value can also come from
the environment, which wins: `SOAP_HANDLER_SERVER__PORT=9000`, `SOAP_HANDLER_ACCOUNT__0__INBOX__PASSWORD=…`. Secrets can
also come from a file: `password_file = "/run/secrets/push"` in place of `password`, or
`SOAP_HANDLER_ACCOUNT__0__INBOX__PASSWORD_FILE`. `soap-handler check` says everything that is wrong at once.

| setting | type | default | meaning |
| --- | --- | --- | --- |
"""

EVENTS_HEAD: Final = """\
# Events

Every event that the service can log: its name, its level, its fields, what happened and what to do.

The log goes to standard error (`log.level`, `log.format`). An event has a stable name in the field `event`, for
programs that read logs. No field holds a password or the body of a message. `reason` and `error` say why; `exc_info`
becomes a traceback. `times` is how many a line stands for: what a caller can cause at will is said once a minute.

Who calls and is refused: `request_refused` (no login was looked at), `address_refused`, `authentication_failed` and
`credentials_unchecked`. In the last two `account` is the one that was named. Where there is none of that name,
`presented` is the name that came, or a description of it where it may be a person's number or a password. What had
failed says when it works again, and after how many seconds: `journal_recovered`, `inbox_recovered`, `sink_resumed`.

| event | level | from | fields | what happened | what to do |
| --- | --- | --- | --- | --- | --- |
"""


METRICS_HEAD: Final = """\
# Metrics

Health probes, every metric with its labels and meaning, and how Prometheus and Grafana use them.

The table `[console]` in the configuration, empty or with `console.host` and `console.port`, turns the console on: an
HTTP address of its own for operators (by default `127.0.0.1:8081`). With several workers it is a process of its own;
pushes do not depend on it. `soap-handler docs console_access` says who may enter: each caller may ask for health;
metrics are for this machine, users, `console.metrics_allow_from`, and a program with `console.metrics_token`.

| path | answer |
| --- | --- |
| `/health/live` | 200 while the process that answers lives. |
| `/health/ready` | 200 where a push would be taken now, else 503 with `reasons`, in JSON. |
| `/metrics` | All workers together, in the text format of Prometheus or, where `Accept` asks for it, as OpenMetrics. |

Ready means: a worker listens, the service does not drain, and the journal commits. The last is found out by a real
commit, at most every 5 s. `server.health = true` answers both health probes at the public address too, in one word and
without the reasons.

Counters go on where a worker is replaced, and begin at 0 at a restart of the service. Gauges are sums over the workers
that live. What waits is asked of the journal at most every 5 s, and less often where a long backlog makes it slow.
With several hosts on one PostgreSQL, each tells of the backlog of all: take `max`, not `sum`, over instances.
Labels have values of the code, the contract and the configuration only; what a caller sends is never a label. Rows
of an account that is not configured any more are `not configured`.

For a Prometheus on another machine, put one text of 20 or more letters and digits into the file that
`console.metrics_token_file` names, and into a file of Prometheus, which reads it anew at each scrape
(`authorization: { credentials_file: /etc/prometheus/soap-handler.token }`).

`soap-handler deploy prometheus` prints alert rules and the lines for `prometheus.yml`, these among them.
`soap-handler deploy grafana` prints a dashboard to import.

| metric | type | labels | meaning | values of the labels |
| --- | --- | --- | --- | --- |
"""


def metrics_page() -> str:
    """Return the page of the metrics, made from their catalogue."""
    suffix = {"counter": "_total", "info": "_info"}
    return METRICS_HEAD + "".join(
        f"| `{each.name}{suffix.get(each.type, '')}` | {each.type} | {', '.join(each.labels)} | {each.meaning} | "
        f"{each.values} |\n"
        for each in CATALOGUE.values()
    )


def settings_page() -> str:
    """Return the page of the settings, made from the model."""
    rows = [f"| `{row.table}.{row.name}` | {row.type} | {row.default} | {row.description} |\n" for row in describe()]
    old = ", ".join(f"`{table}.{old}` is now `{new}`" for (table, old), new in RENAMED.items())
    return f"{SETTINGS_HEAD}{''.join(rows)}\nOld names still load, with a warning: {old}.\n"


def events_page() -> str:
    """Return the page of the events, made from the list in ``telemetry``."""
    return EVENTS_HEAD + "".join(
        f"| `{event.name}` | {event.level} | {event.room} | {', '.join(event.fields)} "
        f"| {event.happened} | {event.action or 'Nothing.'} |\n"
        for event in EVENTS.values()
    )


@pytest.mark.parametrize(
    ("name", "made"), [("settings", settings_page()), ("events", events_page()), ("metrics", metrics_page())]
)
def test_generated_pages_are_up_to_date(name: str, made: str) -> None:
    """They are made from the code's own descriptions. ``UPDATE_DOCS=1`` writes them anew."""
    if os.environ.get("UPDATE_DOCS"):
        (FOLDER / f"{name}.md").write_text(made, encoding="utf-8")
        return
    assert PAGES.get(name) == made, "run this test with UPDATE_DOCS=1"


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_each_page_opens_with_a_heading_and_one_sentence(text: str) -> None:
    """The list of topics shows that sentence."""
    heading, sentence = text.split("\n\n")[:2]
    assert re.fullmatch(r"# .+", heading)
    assert sentence.endswith(".")
    assert len(sentence) < 160


def test_the_readme_names_every_page() -> None:
    """It is the front door: every page is reached from it."""
    assert [name for name in PAGES if f"`{name}`" not in README] == []


def test_every_room_is_on_the_map() -> None:
    """The table of rooms names each module and folder of the package, and nothing that is not there."""
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_") and path.name not in {"py.typed", "wsdl"}
    }
    table = PAGES["design"].partition("| room | what lives there |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([\w./]+)`", table, re.MULTILINE)) == there


@pytest.mark.parametrize("name", ["design", "fast", "lifecycle", "operations"])
def test_every_path_on_a_page_exists(name: str) -> None:
    """A reader who follows a path finds the file."""
    paths = set(re.findall(r"`(\w+/[\w/]*\.py)`", PAGES[name]))
    assert sorted(path for path in paths if not (PACKAGE / path).exists()) == []


def test_every_module_is_on_the_map() -> None:
    """A module is named by its path on the pages `design` or `fast`, or by its name where its folder is named too."""
    items = re.split(r"\n(?:\n|(?=- ))", PAGES["design"] + "\n\n" + PAGES["fast"])
    named = {name for item in items for name in re.findall(r"`([\w/]+\.py)`", item)}
    named |= {
        folder + name
        for item in items
        for folder in re.findall(r"`([\w/]+/)`", item)
        for name in re.findall(r"`([\w/]+\.py)`", item)
    }
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("__") and path.parent.name != "versions"
    }
    assert len(modules) > 300
    assert sorted(modules - named) == []


def test_every_setting_on_a_page_exists() -> None:
    """A setting that a page or the README names is one that the model has."""
    tables = {row.table.partition(".")[0] for row in describe()}
    known = {f"{row.table}.{row.name}" for row in describe()}
    texts = {name: text for name, text in PAGES.items() if name not in {"settings", "changes"}}
    named = {
        f"{name}: {setting}"
        for name, text in {"readme": README, **texts}.items()
        for setting in re.findall(rf"`((?:{'|'.join(tables)})\.\w+)(?:`| =)", text)
    }
    assert {each for each in named if each.partition(": ")[2] not in known and not each.endswith(".py")} == set()


def test_every_command_is_named(tmp_path: Path) -> None:
    """Everything that the command can do is in the README or on a page."""
    run = subprocess.run(
        [sys.executable, "-m", "soap_handler", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
    )
    commands = re.findall(r"^\W*([a-z][a-z-]+)\s{2,}\S", run.stdout.partition("Commands")[2], re.MULTILINE)
    everything = README + "".join(PAGES.values())
    assert len(commands) > 8
    assert [command for command in commands if f"soap-handler {command}" not in everything] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_python_examples_run(example: str, tmp_path: Path) -> None:
    """Each Python example is a program that Python takes."""
    (tmp_path / "sms.py").write_text(example, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", "sms.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
