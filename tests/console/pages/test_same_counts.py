"""One set of questions, several faces: console, status, metrics and journal count the same."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from soap_handler.journal import Selection, State
from tests.support import fork_server
from tests.support.wire import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.console.pages.filled import Filled

CONFIGURATION: Final = """
[journal]
url = "{url}"
[handler]
target = "soap_handler.sinks.stdout:handlers"
[[account]]
reference = "{reference}"
anonymous = true
"""
STEPS: Final = {"handle": State.RECEIVED, "delete": State.HANDLED, "dead": State.DEAD}


def test_each_state_is_counted_the_same(filled: Filled, tmp_path: Path) -> None:
    """Where something of everything has happened: retries, a pause, deletes that failed, the dead, a recovered one."""
    records = filled.journal.records(Selection())
    counts = {state: sum(each.state is state for each in records) for state in State}
    assert all(counts.values())
    flow = re.findall(r'class="big"><a[^>]*>([\d,]+)', filled.page("/"))
    assert list(map(int, flow)) == [counts[each] for each in (State.RECEIVED, State.HANDLED, State.DONE, State.DEAD)]
    for state, path in ((State.DEAD, "/dead"), (State.RECEIVED, "/waiting"), (State.HANDLED, "/waiting")):
        assert f'class="count">{counts[state]}<' in filled.page(path)
        assert f">{counts[state]} found<" in filled.page(f"/messages?state={state}")
    assert status_of(filled, tmp_path)["states"] == {state.value: counts[state] for state in State}
    backlog = filled.page("/metrics")
    for step, state in STEPS.items():
        numbers = re.findall(rf'soap_handler_backlog{{account="[^"]*",step="{step}"}} (\d+)', backlog)
        assert sum(map(int, numbers)) == counts[state]
    lines = filled.page("/messages.jsonl").splitlines()
    assert [json.loads(line)["state"] for line in lines] == [record.state for record in records]


def status_of(filled: Filled, folder: Path) -> dict[str, Any]:
    """Return what the command says of the same journal."""
    url = filled.settings.journal.url.get_secret_value()
    (folder / "soap-handler.toml").write_text(CONFIGURATION.format(url=url, reference=REFERENCE))
    run = fork_server.run("soap_handler", "status", "--json", cwd=folder)
    assert run.returncode in {0, 1}, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found
