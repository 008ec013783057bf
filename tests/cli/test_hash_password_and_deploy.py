"""``hash-password`` and ``deploy``: each once as a real process, with what a shell gives it."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from soap_handler.accounts.passwords import PasswordHash
from tests.cli.conftest import Result, Run, command

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


def process(*arguments: str, given: str = "") -> Result:
    done = subprocess.run(command(*arguments), input=given, capture_output=True, text=True, check=False, timeout=60)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nmore\n"])
def test_the_first_line_is_the_password(run: Run, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """The hash is the only thing on the standard output, and fit for the configuration as it is."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"s3 cret{end}".encode())))
    done = process("hash-password", given=f"s3 cret{end}") if end == "\n" else run("hash-password")
    text = done.out.removesuffix("\n")
    assert (done.code, done.err) == (0, "")
    assert PasswordHash.parse(text).verify("s3 cret")
    assert tomllib.loads(f'password = "{text}"')["password"] == text


def test_no_password_is_no_hash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty input is a mistake."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = run("hash-password")
    assert (done.code, done.out) == (2, "")
    assert "there is no password" in done.err


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nginx", "server_name sms.example.com;"),
        ("caddy", "https://sms.example.com:443 {"),
        ("systemd", "serve --config "),
    ],
)
def test_a_configuration_is_printed(run: Run, tmp_path: Path, what: str, said: str) -> None:
    """Made from the settings, without a secret of theirs."""
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    done = (process if what == "nginx" else run)("deploy", what, "--config", str(file))
    assert (done.code, done.err) == (0, "")
    assert said in done.out
    assert "hidden" not in done.out


def test_wrong_settings_make_no_configuration(run: Run, tmp_path: Path) -> None:
    """They are named as everywhere."""
    done = run("deploy", "nginx", "--config", str(tmp_path / "none.toml"))
    assert (done.code, done.out) == (2, "")
    assert "cannot be read" in done.err
