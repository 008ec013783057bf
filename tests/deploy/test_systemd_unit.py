"""The systemd unit as it is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from soap_handler.deploy import systemd
from soap_handler.settings import JournalSettings, ServerSettings, Settings
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
        "LimitNOFILE=1512",
        "# The journal is in the state directory, or in a database.",
    ):
        assert f"\n{line}\n" in text


def test_a_journal_elsewhere_may_be_written() -> None:
    """Only its folder is opened for writing; no password of a database gets into the unit."""
    assert "\nReadWritePaths=/srv/sms\n" in systemd(settings("sqlite:////srv/sms/journal.db"))
    text = systemd(settings("postgresql+psycopg://u:hidden@localhost/sms"))
    assert "hidden" not in text
    assert "postgresql.service" in text
