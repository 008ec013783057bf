"""``explain``: a file or standard input, tables or JSON, and an exit code that says whether it would be taken."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING

from tests.cli.conftest import Run, write_configuration
from tests.support import wire

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_request_in_a_file_is_explained(run: Run, tmp_path: Path) -> None:
    """Values, key and answer are shown; the password is masked, and no journal is made."""
    write_configuration(tmp_path)
    (tmp_path / "request.txt").write_bytes(wire.request(wire.message(sentat="noon")))
    result = run("explain", "request.txt")
    assert result.code == 0, result.err
    for said in ("would be taken", "Yes please", "EX0012345/MessageReceived/", "200 OK", "'noon' is no value", "***"):
        assert said in result.out
    assert wire.PASSWORD not in result.out
    assert not (tmp_path / "journal.db").exists()


def test_standard_input_is_a_file_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dash; a refusal ends with 1, and says the rule."""
    write_configuration(tmp_path)
    refused = wire.envelope(head=wire.header(password="wr0ng"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(refused)))
    result = run("explain", "-", "--json")
    assert (result.code, result.err) == (1, "")
    assert not result.json["taken"]
    assert "the password is not that of user name 'ems'" in result.json["refused_by"]
    assert "wr0ng" not in result.out


def test_a_file_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    """Without a traceback."""
    write_configuration(tmp_path)
    result = run("explain", "nothing.txt")
    assert result.code == 1
    assert "nothing.txt" in result.err
