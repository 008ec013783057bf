"""Nothing that the command can meet ends in a traceback: closed streams, odd bytes, signals, a folder that is gone."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.models import OptionInfo

import soap_handler
from soap_handler.cli import configuration
from soap_handler.cli.program import program
from soap_handler.journal import Journal
from soap_handler.settings import introspection
from tests.cli.conftest import Run, command, environment, serve, write_configuration
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


def shell(folder: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which SH stands for the command."""
    line = line.replace("SH", shlex.join(command()))
    return subprocess.run(
        ["/bin/sh", "-c", line], cwd=folder, env=environment(more), capture_output=True, text=True, timeout=60,
        errors="backslashreplace", check=False,
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_defect(tmp_path: Path, closed: str) -> None:
    """The exit code is that of the command; its files and sockets do not take the numbers of the streams."""
    write_configuration(tmp_path)
    done = shell(tmp_path, f"SH check {closed}")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_service_without_streams_serves(tmp_path: Path) -> None:
    """Its journal is on no number of a stream, so no message of a library is written into it; it drains as usual."""
    (tmp_path / "sms.py").write_text("def handle(_): pass\n")
    write_configuration(tmp_path, handler='target = "sms:handle"')
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {shlex.join(command('serve'))} <&- >&- 2>&-"], cwd=tmp_path, env=environment()
    )
    try:
        wait_for(lambda: process.poll() is not None or (tmp_path / "journal.db-wal").exists())
        assert process.poll() is None
        streams = {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in range(3)}
        assert streams == {"/dev/null"}
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("init --path away/x.toml", "away/x.toml: No such file or directory"),
        ("explain away", "away: No such file or directory"),
        ("explain .", ".: Is a directory"),
        ("journal restore away --yes", "FOLDER/away: No such file or directory"),
        ("journal backup away/copy.db", "there is no folder FOLDER/away; expected one for the copy"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_words(run: Run, tmp_path: Path, line: str, said: str) -> None:
    """By its name and the reason, as other programs do, not as Python prints an error."""
    write_configuration(tmp_path)
    assert run("migrate").code == 0
    result = run(*line.split())
    assert (result.code, result.err) == (1, f"soap-handler: {said.replace('FOLDER', str(tmp_path))}\n")


def test_a_reader_that_has_seen_enough_is_no_defect(tmp_path: Path) -> None:
    """As with ``docs settings | head -1``."""
    done = shell(tmp_path, "SH docs settings | head -1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_output_is_said(tmp_path: Path) -> None:
    """A configuration that could not be written whole does not look as if it was."""
    write_configuration(tmp_path)
    done = shell(tmp_path, "SH deploy nginx > /dev/full")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "SH check --config \"$(printf 'caf\\351.toml')\"",
        "SOAP_HANDLER_SERVER_HOST=\"$(printf 'caf\\351')\" SH check",
        "SH journal show \"$(printf 'caf\\351')\"",
        "printf 'caf\\351\\n' | SH hash-password",
        "SH push MessageEvent --url \"http://127.0.0.1:1/$(printf '\\351')\" --username a --password b --account c",
        "SH doctor --url \"https://$(printf 'x%.0s' $(seq 80)).example\" --timeout 1",
    ],
)
def test_odd_arguments_are_a_sentence(tmp_path: Path, line: str) -> None:
    """Bytes that are no UTF-8, in arguments, variables and input; hosts that are none; numbers that are none."""
    write_configuration(tmp_path)
    Journal(f"sqlite:///{tmp_path / 'journal.db'}").close()
    done = shell(tmp_path, line)
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


def test_text_that_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """A name in other letters does not break the output of ``check`` in an ASCII locale."""
    write_configuration(tmp_path, account='[[account]]\nreference = "Müller → 你好"\nanonymous = true\n')
    done = shell(tmp_path, "SH check", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ller" in done.stdout


def test_a_working_directory_that_is_gone_is_no_defect(tmp_path: Path) -> None:
    """A configuration with an absolute path does not need one; without it, a sentence says what is missing."""
    path = write_configuration(tmp_path)
    (tmp_path / "gone").mkdir()
    done = shell(tmp_path, f"cd gone && rmdir ../gone && SH check --config {path}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (tmp_path / "gone").mkdir()
    done = shell(tmp_path, "cd gone && rmdir ../gone && SH check")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_working_directory_that_may_not_be_entered_has_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be looked at, which is no reason to end: the environment may name another file."""

    def refuse(_path: object, **_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.exists", refuse)
    monkeypatch.setenv("SOAP_HANDLER_CONFIG", "/etc/x.toml")
    assert str(configuration.find(None)) == "/etc/x.toml"


def numeric_options() -> Iterator[tuple[str, Any]]:
    """Return each number among the options of each command, by command and parameter."""
    groups = [
        ("", program),
        *(
            (f"{each.typer_instance.info.name} ", each.typer_instance)
            for each in program.registered_groups
            if each.typer_instance
        ),
    ]
    for group, commands in groups:
        for each in commands.registered_commands:
            assert each.callback is not None
            name = each.name or each.callback.__name__.replace("_", "-")
            for parameter, hint in typing.get_type_hints(each.callback, include_extras=True).items():
                kinds = introspection.kinds(hint)
                option = next(
                    (extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, OptionInfo)), None
                )
                if option is not None and {int, float} & set(kinds):
                    yield f"{group}{name} --{parameter.replace('_', '-')}", option


def test_each_number_among_the_options_is_bounded(run: Run) -> None:
    """A number of the command line is no less absurd than one of the configuration."""
    found = dict(numeric_options())
    assert len(found) > 10
    assert [name for name, option in found.items() if option.min is None or option.max is None] == []
    result = run("doctor", "--url", "https://127.0.0.1:1", "--timeout", "nan")
    assert (result.code, "Invalid value" in result.err) == (2, True), result.err


def test_a_defect_is_named_without_its_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text may quote a URL or a message; a person needs its place, to report it."""

    def break_down(_settings: object, _environ: object) -> None:
        raise TypeError("hidden")

    monkeypatch.setattr("soap_handler.settings.load_settings", break_down)
    result = run("deploy", "nginx")
    assert result.code == 1
    assert result.err.startswith("soap-handler: a defect ended the command: TypeError at ")
    assert "hidden" not in result.err


def test_the_package_loads_nothing_by_itself() -> None:
    """Until the command has begun, Ctrl-C shows the interpreter's own traceback: that time is short."""
    code = "import sys; before = set(sys.modules); import soap_handler.__main__; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "soap_handler", "soap_handler.__main__"}


def test_the_package_has_what_it_names() -> None:
    """Also by ``import *``; anything else is an error with its name."""
    for name in soap_handler.__all__:
        assert name in {getattr(getattr(soap_handler, name), "__name__", ""), "Notification"}
    with pytest.raises(AttributeError, match="has no attribute 'Handler'"):
        soap_handler.Handler  # type: ignore[attr-defined] # noqa: B018 - it is there to fail


def test_colours_mean_something_or_are_not_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts have one on a terminal; into a pipe, and with NO_COLOR, there is none."""
    write_configuration(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in run("check").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[33mwarning\x1b[0m" in run("check").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in run("check").out


def test_a_module_that_changes_the_working_directory_moves_nothing(tmp_path: Path) -> None:
    """Journal and configuration are where they were: a reload reads the same file."""
    (tmp_path / "sms.py").write_text("import os\nos.chdir('/')\ndef handle(_): pass\n")
    path = write_configuration(tmp_path, handler='target = "sms:handle"')
    path.write_text(path.read_text().replace(f"sqlite:///{tmp_path / 'journal.db'}", "sqlite:///journal.db"))
    with serve(tmp_path) as running:
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: running.event("reloaded"))
        assert (tmp_path / "journal.db").exists()
        assert running.event("starting")["journal"] == f"sqlite:///{tmp_path}/journal.db"
        assert running.end(signal.SIGTERM) == 0
