"""The settings as people read them: the table of reference and the file to begin with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SettingsError
from soap_handler.settings import describe, load_settings, template
from soap_handler.settings.sinks import SINKS

if TYPE_CHECKING:
    from pathlib import Path


def filled_in() -> str:
    return template().replace('target = ""', 'target = "my_package.sms:handlers"').replace('""', '"value"')


def test_the_template_loads_once_it_is_filled_in(tmp_path: Path) -> None:
    """The file that ``init`` writes needs nothing but the marked values."""
    file = tmp_path / "soap-handler.toml"
    file.write_text(filled_in(), encoding="utf-8")
    account = load_settings(file, {}).account[0]
    assert (account.reference, account.push[0].username) == ("value", "value")
    assert account.inbox is not None


def test_a_template_that_is_not_filled_in_is_refused_line_by_line(tmp_path: Path) -> None:
    """Every marked value is named; nothing works by accident with an example password."""
    file = tmp_path / "soap-handler.toml"
    file.write_text(template(), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        "handler.target",
        "account[0].reference",
        "account[0].push[0].username",
        "account[0].push[0].password",
        "account[0].inbox.username",
        "account[0].inbox.password",
    ]
    marked = [line for line in template().splitlines() if line.endswith("# fill in")]
    assert len(marked) == 5


def test_the_commented_lines_of_the_template_load_too(tmp_path: Path) -> None:
    """Taking a comment sign away is all it needs to change a default."""
    (tmp_path / "ca-bundle.pem").touch()
    file = tmp_path / "soap-handler.toml"
    file.write_text(re.sub(r"(?m)^# (?=\w+ = |\[)", "", filled_in()), encoding="utf-8")
    settings = load_settings(file, {})
    assert settings.server.public_url == "https://sms.example.com"
    assert tomllib.loads(file.read_text(encoding="utf-8"))["delete"]["batch"] == settings.delete.batch


def test_every_setting_is_described() -> None:
    """A setting without a sentence, a type or a default is not finished."""
    rows = describe()
    assert all(row.type and row.default and row.description.endswith(".") for row in rows)
    assert len({(row.table, row.name) for row in rows}) == len(rows) > 30
    assert ("server", "port", "whole number", "8080") in {row[:4] for row in rows}
    assert ("account.inbox", "password", "secret text", "required") in {row[:4] for row in rows}
    assert ("account.inbox", "password_file", "path", "unset") in {row[:4] for row in rows}
    assert ("account", "aliases", "list of text", "[]") in {row[:4] for row in rows}


def test_every_setting_that_is_described_is_in_the_template() -> None:
    """The two cannot drift apart."""
    text = template() + "".join(template(sink) for sink in SINKS)
    missing = [row.name for row in describe() if f"{row.name} = " not in text and not row.name.endswith("_file")]
    assert missing == []


def test_importing_the_settings_loads_no_heavy_library() -> None:
    """The command line starts with this import: neither the database nor SOAP may come with it."""
    heavy = ("sqlalchemy", "zeep", "spyne", "lxml", "rich")
    code = f"import sys, soap_handler.settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
