"""The systemd unit as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from soap_handler.deploy import systemd
from soap_handler.deploy.systemd_unit import quoted
from soap_handler.errors import SettingsError
from soap_handler.settings import HandlerSettings, JournalSettings, ServerSettings, Settings
from soap_handler.settings.sinks import FilesSettings, RouteSettings
from tests.deploy.proxies import need
from tests.support.service import ACCOUNTS


def settings(url: str = "sqlite:///soap-handler.db", **server: float) -> Settings:
    return Settings(
        account=ACCOUNTS,
        journal=JournalSettings(url=SecretStr(url)),
        server=ServerSettings.model_validate(server),
    )


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """``systemd-analyze verify`` passes without a word."""
    need("systemd-analyze")
    unit = tmp_path / "soap-handler.service"
    unit.write_text(systemd(settings(), command=Path(sys.executable)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "soap-handler" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_systemd_calls_it_well_confined(tmp_path: Path) -> None:
    """``systemd-analyze security`` rates the exposure below 3 of 10."""
    need("systemd-analyze")
    unit = tmp_path / "soap-handler.service"
    unit.write_text(systemd(settings(), command=Path(sys.executable)))
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_unit_follows_the_settings() -> None:
    """It waits for the drain, reloads by SIGHUP, and lets as many files be open as there are connections."""
    text = systemd(settings(drain_timeout=20, connections=1000), Path("/etc/x.toml"), Path("/opt/bin/soap-handler"))
    for line in (
        "ExecStart=/opt/bin/soap-handler serve --config /etc/x.toml",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "KillSignal=SIGTERM",
        "TimeoutStopSec=35",
        "Type=notify",
        "TimeoutStartSec=infinity",
        "WatchdogSec=60",
        "LimitNOFILE=1512",
        "# The journal is in the state directory, or in a database.",
    ):
        assert f"\n{line}\n" in text


def test_the_watchdog_waits_for_longer_than_a_drain() -> None:
    """A process that drains to be renewed gives no sign of life once its loop has ended."""
    assert "\nWatchdogSec=130\n" in systemd(settings(drain_timeout=100))


def test_a_journal_elsewhere_may_be_written() -> None:
    """Only its folder is opened for writing; no password of a database gets into the unit."""
    assert "\nReadWritePaths=/srv/sms\n" in systemd(settings("sqlite:////srv/sms/journal.db"))
    text = systemd(settings("postgresql+psycopg://u:hidden@localhost/sms"))
    assert "hidden" not in text
    assert "postgresql.service" in text


def test_a_sink_for_files_may_write() -> None:
    """Its directory is opened for writing where it is there; no handlers are spoken of."""
    spool = FilesSettings(type="files", directory=Path("/var/spool/my sms"))
    routed = settings().model_copy(update={"sink": {"spool": spool}, "route": (RouteSettings(sink="spool"),)})
    text = systemd(routed)
    assert '\nReadWritePaths="-/var/spool/my sms"\n' in text
    assert "Notifications go to sinks" in text
    assert "handler.target" not in text


@pytest.mark.parametrize("odd", ["a b", "100%", "%h", "it's", 'q"q', "a$b", "back\\slash", "grüße"])
def test_odd_characters_in_paths_stay_what_they_are(tmp_path: Path, odd: str) -> None:
    """Blanks, quotes, ``%`` and ``$`` mean something to systemd; its own reader gets the paths back as they were."""
    need("systemd-analyze")
    folder = tmp_path / odd
    folder.mkdir()
    is_refused = {"'", '"', "\\"} & set(odd)
    command = (tmp_path if is_refused else folder) / "soap-handler"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / "soap-handler.service"
    unit.write_text(systemd(settings(f"sqlite:///{quote(str(folder / 'j.db'))}"), folder / "x.toml", command))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "soap-handler" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    if is_refused:  # by systemd itself, in the path of a program
        with pytest.raises(SettingsError, match="cannot be run by systemd"):
            systemd(settings(), command=folder / "soap-handler")
    shown = quoted(folder / "x.toml", argument=True)
    assert f"--config {shown}\n" in unit.read_text()
    assert f"ReadWritePaths={quoted(folder)}\n" in unit.read_text()
    # systemd.syntax(7): in double quotes a backslash escapes; a specifier's %% is %, and a variable's $$ is $
    plain = shown.removeprefix('"').removesuffix('"') if shown.startswith('"') else shown
    assert re.sub(r"\\(.)", r"\1", plain).replace("%%", "%").replace("$$", "$") == str(folder / "x.toml")


def test_a_line_end_in_a_path_makes_no_unit() -> None:
    """It would begin a line of its own in the unit."""
    with pytest.raises(SettingsError, match="cannot stand in a unit"):
        systemd(settings(), Path("/etc/x\nUser=root/x.toml"))


@pytest.mark.parametrize(
    ("url", "waits_for"),
    [
        ("postgresql+psycopg:///", "postgresql.service"),
        ("postgresql+psycopg:///sms", "postgresql.service"),
        ("postgresql+psycopg://u@/sms?host=/run/postgresql", "postgresql.service"),
        ("postgresql+psycopg://u@localhost/sms", "postgresql.service"),
        ("postgresql+psycopg://u@127.0.0.2:5433/sms", "postgresql.service"),
        ("postgresql+psycopg://u@[::1]/sms", "postgresql.service"),
        ("postgresql+psycopg://u:p%40localhost@db.example.com/sms", "network.target"),
        ("postgresql+psycopg:///sms?host=a.example.com,b.example.com", "network.target"),
        ("sqlite:////srv/@localhost/journal.db", "network.target"),
    ],
)
def test_a_database_on_this_machine_is_waited_for(url: str, waits_for: str) -> None:
    """Its socket is the default where the URL names no host."""
    assert f"After=network-online.target {waits_for}\n" in systemd(settings(url))


def test_what_lies_in_tmp_is_not_hidden() -> None:
    """PrivateTmp would hide a socket there, and would empty a journal at each stop."""
    assert "PrivateTmp=no" in systemd(settings("postgresql+psycopg:///sms?host=/tmp"))
    assert "PrivateTmp=no" in systemd(settings("sqlite:////var/tmp/x/journal.db"))
    assert "PrivateTmp=yes" in systemd(settings("sqlite:////srv/journal.db"))


def test_the_unit_says_where_the_handlers_module_must_lie() -> None:
    """Beside the configuration, where the service may not write, or installed."""
    known = settings().model_copy(update={"handler": HandlerSettings(target="my.sms:handlers")})
    text = systemd(known, Path("/etc/soap handler/x.toml"))
    assert "the module my must lie beside the configuration, in\n# '/etc/soap handler'" in text
    assert '\nEnvironment="PYTHONPATH=/etc/soap handler"\n' in text
    assert "handler.target is not set" in systemd(settings())
