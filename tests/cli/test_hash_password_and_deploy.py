"""``hash-password`` and ``deploy``, through the real command."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from soap_handler.accounts.passwords import PasswordHash

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[server]
public_url = "https://sms.example.com"
trusted_proxies = ["127.0.0.1"]
[[account]]
reference = "EX0012345"
push = [{ username = "ems", password = "hidden" }]
"""


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soap_handler", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nmore\n"])
def test_the_first_line_is_the_password(end: str) -> None:
    """The hash is the only thing on the standard output, and fit for the configuration as it is."""
    done = run("hash-password", given=f"s3 cret{end}")
    text = done.stdout.removesuffix("\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert PasswordHash.parse(text).verify("s3 cret")
    assert tomllib.loads(f'password = "{text}"')["password"] == text


def test_no_password_is_no_hash() -> None:
    """An empty input is a mistake."""
    done = run("hash-password")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no password" in done.stderr


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nginx", "server_name sms.example.com;"),
        ("caddy", "https://sms.example.com:443 {"),
        ("systemd", "serve --config "),
    ],
)
def test_a_configuration_is_printed(tmp_path: Path, what: str, said: str) -> None:
    """Made from the settings, without a secret of theirs."""
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    done = run("deploy", what, "--config", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert "hidden" not in done.stdout


def test_wrong_settings_make_no_configuration(tmp_path: Path) -> None:
    """They are named as everywhere."""
    done = run("deploy", "nginx", "--config", str(tmp_path / "none.toml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be read" in done.stderr
