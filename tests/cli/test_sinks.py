"""The commands around sinks: from ``init --sink`` to a sample that a sink has confirmed."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli.init import SINK_TYPES
from soap_handler.settings.sinks import SINKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

BASE = """
[[account]]
reference = "EX0012345"
push = [{ username = "ems", password = "s3cret" }]
[journal]
url = "sqlite:///journal.db"
"""


def configured(tmp_path: Path, text: str) -> None:
    (tmp_path / "soap-handler.toml").write_text(BASE + text)


def checks(run: Run, *options: str) -> dict[str, tuple[str, str]]:
    found = json.loads(run("check", "--json", *options).out)
    return {each["check"]: (each["result"], each["text"]) for each in found["checks"]}


@pytest.mark.parametrize("kind", SINK_TYPES)
def test_init_writes_a_route_to_a_sink(tmp_path: Path, run: Run, kind: str) -> None:
    """The file is TOML, with every setting of the type."""
    assert run("init", "--sink", kind).code == 0
    written = (tmp_path / "soap-handler.toml").read_text()
    assert tomllib.loads(written)["sink"]["mine"]["type"] == kind
    assert all(name in written for name in SINKS[kind].model_fields)
    assert '\ntarget = ""' not in written, "a sink needs no handlers"
    assert tuple(SINKS) == SINK_TYPES


def test_init_names_the_sinks_there_are(run: Run) -> None:
    """A typing mistake is answered with what was expected."""
    result = run("init", "--sink", "webook")
    assert result.code == 2
    assert "webhook" in result.err


def test_check_reaches_out_on_request(tmp_path: Path, run: Run) -> None:
    """Each sink is tried harmlessly, and what would take nothing is wrong."""
    configured(tmp_path, f'[[route]]\nsink = "spool"\n[sink.spool]\ntype = "files"\ndirectory = "{tmp_path}"\n')
    assert checks(run)["route"][0] == "ok"
    assert checks(run, "--sinks")["sink.spool"] == ("ok", f"files can be written in {tmp_path}")
    configured(tmp_path, '[[route]]\nsink = "crm"\n[sink.crm]\ntype = "webhook"\nurl = "http://127.0.0.1:9/t0ken"\n')
    verdict, text = checks(run, "--sinks")["sink.crm"]
    assert (verdict, "t0ken" in text) == ("wrong", False)


def test_check_says_that_requests_are_kept_for_a_sink(tmp_path: Path, run: Run) -> None:
    """Where a sink writes them as they came: it costs each push a second time its size on the disk."""
    sink = f'[sink.spool]\ntype = "files"\nformat = "envelope"\ndirectory = "{tmp_path}"\n'
    configured(tmp_path, f'[[route]]\nsink = "spool"\n{sink}')
    verdict, text = checks(run)["sink.spool"]
    assert (verdict, "the journal keeps" in text) == ("ok", True)


def test_check_names_what_no_route_takes(tmp_path: Path, run: Run) -> None:
    """Such a configuration does not start either."""
    sink = f'[sink.spool]\ntype = "files"\ndirectory = "{tmp_path}"\n'
    configured(tmp_path, f'[[route]]\nkinds = ["MessageReceived"]\nsink = "spool"\n{sink}')
    verdict, text = checks(run)["route"]
    assert verdict == "wrong"
    assert "MessageEvent" in text


def test_a_sample_is_sent_and_marked_as_a_test(tmp_path: Path, run: Run) -> None:
    """Its id says so, and the answer is shown."""
    spool = tmp_path / "spool"
    spool.mkdir()
    configured(tmp_path, f'[[route]]\nsink = "spool"\n[sink.spool]\ntype = "files"\ndirectory = "{spool}"\n')
    result = run("sink", "test", "spool")
    assert (result.code, result.out[:10]) == (0, "confirmed:")
    (path,) = spool.iterdir()
    assert json.loads(path.read_text())["id"].startswith("soap-handler-test-")
    spool.joinpath(path.name).unlink()
    spool.rmdir()
    assert run("sink", "test", "nowhere").code == 2


def test_what_a_program_says_plays_no_game_with_the_terminal(run: Run, tmp_path: Path) -> None:
    """Its words are shown with control characters as escapes."""
    script = "printf 'bell \\007 and\\nmore' >&2; exit 1"
    table = f'[sink.p]\ntype = "command"\ncommand = ["/bin/sh", "-c", {json.dumps(script)}]\n'
    configured(tmp_path, table + '[[route]]\nsink = "p"\n')
    assert "exit code 1: bell \\x07 and\\nmore" in run("sink", "test", "p").err


def test_the_table_is_printed_or_created(tmp_path: Path, run: Run) -> None:
    """An administrator may prefer to run the statement."""
    configured(tmp_path, f'[[route]]\nsink = "t"\n[sink.t]\ntype = "sql"\nurl = "sqlite:///{tmp_path}/sms.db"\n')
    assert checks(run, "--sinks")["sink.t"][0] == "wrong"
    printed = run("sink", "create-table", "t")
    assert printed.out.startswith("CREATE TABLE sms_notification")
    assert run("sink", "create-table", "t", "--run").code == 0
    assert checks(run, "--sinks")["sink.t"][0] == "ok"
    assert run("sink", "test", "t").code == 0


def test_the_schema_is_shown(run: Run) -> None:
    """``docs schema`` prints JSON, for tools."""
    assert json.loads(run("docs", "schema").out)["oneOf"]
