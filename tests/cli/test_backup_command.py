"""``journal backup`` and ``journal restore``: what they say, what they refuse, and how they end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from soap_handler.journal import Journal, Selection
from soap_handler.journal.erasure.phone_number import Trace
from tests.cli.conftest import Run, write_configuration
from tests.journal.entries import entry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> str:
    write_configuration(tmp_path)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with Journal(url) as opened:
        opened.record(entry(1))
    return url


def test_a_copy_is_made_and_put_back(run: Run, journal: str) -> None:
    """The words say what is in it, where the former journal is, and what follows; with --json, a program's values."""
    made = run("journal", "backup", "copy.db")
    assert (made.code, made.err) == (0, "")
    assert "holds 1 notifications (1 received)" in made.out
    with Journal(journal) as opened:
        opened.record(entry(2))
        opened.erasures.erase(Trace("447700900123"))
    result = run("journal", "restore", "copy.db", "--yes")
    assert (result.code, result.err) == (0, "")
    assert "journal.db.replaced-" in result.out
    assert "1 notifications that came later" in result.out
    assert "soap-handler reconcile" in result.out
    assert "1 erasures since the copy: what they removed may be in this journal again." in result.out
    with Journal(journal) as opened:
        assert len(opened.records(Selection())) == 1
    values = run("journal", "restore", "copy.db", "--yes", "--json").json
    assert (values["notifications"], values["missing"], values["handled_again"]) == (1, 0, 0)
    assert values["erasures_lost"] == 0
    assert run("journal", "backup", "copy.db", "--force", "--json").json["states"] == {"received": 1}


@pytest.mark.usefixtures("journal")
def test_what_is_refused_is_a_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there, one that is not, a folder that is not, and a restore that was not confirmed."""
    (tmp_path / "there.db").write_text("precious")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    for arguments, problem in (
        (("backup", "there.db"), "exists already; expected another name, or --force"),
        (("backup", "no/copy.db"), "there is no folder"),
        (("restore", "no.db", "--yes"), "No such file or directory"),
        (("restore", "there.db", "--yes"), "is no file of SQLite"),
        (("restore", "there.db"), "Aborted"),
    ):
        result = run("journal", *arguments)
        assert (result.code, result.err.count("\n") <= 2, problem in result.err) == (1, True, True), result.err
    assert (tmp_path / "there.db").read_text() == "precious"


def test_postgresql_has_its_own_tools(run: Run, tmp_path: Path) -> None:
    """The command is alone on the standard output, without the password; it ends with 1, as there is no copy yet."""
    path = write_configuration(tmp_path)
    text = path.read_text().replace(f"sqlite:///{tmp_path / 'journal.db'}", "postgresql+psycopg://me:s3cr3t@db/sms")
    path.write_text(text)
    backup, restore = run("journal", "backup", "a.dump"), run("journal", "restore", "a.dump")
    assert (backup.code, restore.code) == (1, 1)
    assert backup.out == "pg_dump --format=custom --file=a.dump --dbname=postgresql://me@db/sms\n"
    assert restore.out.startswith("pg_restore --clean --if-exists")
    assert "s3cr3t" not in backup.out + backup.err + restore.out + restore.err
