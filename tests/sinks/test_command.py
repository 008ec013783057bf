"""The sink that starts a program."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import GiveUp, RetryLater, SinkDownError
from soap_handler.settings.sinks import CommandSettings
from soap_handler.sinks.command import Command
from soap_handler.trace_context import carried
from tests.sinks.deliveries import AWKWARD, received

if TYPE_CHECKING:
    from soap_handler.sinks.base import Delivery


def run(script: str, delivery: Delivery | None = None, **settings: Any) -> None:
    command = ["/bin/sh", "-c", script]
    settings = {"type": "command", "command": command, "timeout": 10, **settings}
    Command(CommandSettings.model_validate(settings)).deliver(delivery or received())


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_the_program_gets_the_json_on_its_standard_input(tmp_path: Path, text: str) -> None:
    """The exact text, whatever is in it."""
    run(f"cat > {tmp_path}/in", received(body=text))
    assert json.loads((tmp_path / "in").read_text())["body"] == text


def test_the_program_gets_the_attributes_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``SMS_`` and the attribute; the service's own settings, which may hold passwords, are not passed on."""
    monkeypatch.setenv("SOAP_HANDLER_ACCOUNT__0__PUSH__0__PASSWORD", "secret")
    run(f"env -0 > {tmp_path}/env", received(body="two\nlines \0 \ud83d"))
    found = dict(each.split("=", 1) for each in (tmp_path / "env").read_text().split("\0") if each)
    assert found["SMS_KIND"] == "MessageReceived"
    assert found["SMS_BODY"] == "two\nlines \N{REPLACEMENT CHARACTER} ?"
    assert found["SMS_KEY"] == received().notification.key
    assert "secret" not in found.values()


@pytest.mark.parametrize("context", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None])
def test_the_program_gets_the_trace_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: str | None
) -> None:
    """In the variable that OpenTelemetry names, and not that of the service's start; made up where traces are off."""
    monkeypatch.setenv("TRACEPARENT", "00-of-the-service")
    monkeypatch.setenv("TRACESTATE", "of=the-service")
    with carried(context) if context else nullcontext():
        run(f"env > {tmp_path}/env")
    found = (tmp_path / "env").read_text()
    given = re.findall("^TRACEPARENT=(.*)$", found, re.MULTILINE)
    assert given == [context] if context else re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", given[0])
    assert "TRACESTATE" not in found


@pytest.mark.parametrize("text", ["x" * 200_000, "\N{BUS}" * 50_000], ids=["letters", "emoji"])
def test_a_text_that_no_variable_holds_is_left_out(tmp_path: Path, text: str) -> None:
    """Linux bounds the bytes of a variable; the program is started all the same, with the whole text on its input."""
    run(f"env > {tmp_path}/env; cat > {tmp_path}/in", received(body=text))
    assert "SMS_BODY" not in (tmp_path / "env").read_text()
    assert json.loads((tmp_path / "in").read_text())["body"] == text


def test_a_program_need_not_read_its_input() -> None:
    """Exit code 0 is handled, whatever was read."""
    run("exit 0", received(body="x" * 300_000))


@pytest.mark.parametrize("code", [1, 75, 127])
def test_other_exit_codes_mean_later(code: int) -> None:
    """The end of what the program wrote to standard error is the reason."""
    with pytest.raises(RetryLater, match=f"exit code {code}: no database"):
        run(f"echo no database >&2; exit {code}")


def test_exit_code_65_means_never() -> None:
    """EX_DATAERR: dead at once."""
    with pytest.raises(GiveUp, match="bad number"):
        run("echo bad number >&2; exit 65")


def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """The whole process group ends when the time is over."""
    with pytest.raises(SinkDownError, match="did not end within"):
        run(f"sleep 60 & echo $! > {tmp_path}/child; wait", timeout=0.5)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_child_that_the_program_leaves_behind_does_not_hold_it_up() -> None:
    """The program's own end counts, although its child has the same standard error."""
    began = time.monotonic()
    run("sleep 5 & exit 0")
    assert time.monotonic() - began < 4


def test_a_program_that_is_not_there_is_the_sinks_fault() -> None:
    """Named by the probe, and no notification's fault."""
    sink = Command(CommandSettings(type="command", command=("/nowhere/program",)))
    with pytest.raises(SinkDownError, match="/nowhere/program"):
        sink.deliver(received())
    with pytest.raises(SinkDownError, match="/nowhere/program"):
        sink.probe()
    assert "sh" in Command(CommandSettings(type="command", command=("sh",))).probe()


def test_a_working_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """By the probe and by the delivery: the program itself is there."""
    away = tmp_path / "away"
    sink = Command(CommandSettings(type="command", command=("true",), directory=away))
    for reach in (sink.probe, lambda: sink.deliver(received())):
        with pytest.raises(SinkDownError, match=f"^the working directory {re.escape(str(away))} is not there"):
            reach()
    away.mkdir()
    sink.probe()
    sink.deliver(received())


def test_why_a_program_cannot_be_started_is_said_in_the_words_of_the_system(tmp_path: Path) -> None:
    """Here its interpreter is missing."""
    program = tmp_path / "program"
    program.write_text("#!/nowhere/interpreter\n")
    program.chmod(0o700)
    with pytest.raises(SinkDownError, match=r"program cannot be started \(No such file or directory\)$"):
        Command(CommandSettings(type="command", command=(str(program),))).deliver(received())


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
