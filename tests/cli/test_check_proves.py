"""``check`` says ok only of what it tried out, makes nothing, and says what would surprise."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, examine
from soap_handler.journal.databases.proof import system_user
from soap_handler.sinks.stdout import TARGET as STANDARD_OUTPUT
from tests.cli.conftest import Run, write_configuration
from tests.journal.entries import entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journal.engines import PostgreSQL


def configured(folder: Path, url: str, **more: str) -> None:
    path = write_configuration(folder, **more)
    path.write_text(path.read_text().replace(f"sqlite:///{folder / 'journal.db'}", url))


def finding(run: Run, what: str) -> tuple[str, str]:
    """Return verdict and text of one check."""
    checks = run("check", "--json").json["checks"]
    (found,) = [(each["result"], each["text"]) for each in checks if each["check"] == what]
    return found


def execute(url: str, statement: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement))


def role_of(server: PostgreSQL, url: str, name: str) -> str:
    """Make a role that may connect and see the schema, and return the URL with which it does."""
    server.execute(f"CREATE ROLE {name} LOGIN")
    return make_url(url).set(username=name).render_as_string(hide_password=False)


def test_check_makes_no_journal_and_says_that_serve_can(tmp_path: Path, run: Run) -> None:
    """A file that check made would belong to the person who ran it, and not to the service."""
    write_configuration(tmp_path)
    verdict, said = finding(run, "journal")
    assert (verdict, "not there yet" in said, system_user() in said) == ("ok", True, True)
    assert str(tmp_path / "journal.db") in said
    assert [path.name for path in tmp_path.iterdir()] == ["soap-handler.toml"]


def test_a_folder_that_is_not_there_is_wrong(tmp_path: Path, run: Run) -> None:
    """``serve`` makes no folder."""
    configured(tmp_path, f"sqlite:///{tmp_path}/none/journal.db")
    verdict, said = finding(run, "journal")
    assert (verdict, f"cannot make one in {tmp_path}/none" in said) == ("wrong", True)


def test_a_journal_that_is_there_is_written_to_and_left_as_it_was(tmp_path: Path, run: Run) -> None:
    """The verdict names the user; no row stays."""
    write_configuration(tmp_path)
    Journal(f"sqlite:///{tmp_path / 'journal.db'}").close()
    verdict, said = finding(run, "journal")
    assert (verdict, said.split("; ")[1]) == ("ok", "notifications in it: 0")
    assert f"can be written as {system_user()}" in said
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        assert connection.execute("SELECT count(*) FROM notification").fetchone() == (0,)


def test_a_journal_that_cannot_be_written_is_wrong_and_serve_does_not_start(tmp_path: Path, run: Run) -> None:
    """A trigger stands for whatever lets the database be read and not written."""
    configured(tmp_path, f"sqlite:///{tmp_path}/journal.db")
    Journal(f"sqlite:///{tmp_path / 'journal.db'}").close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("CREATE TRIGGER t BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'read only'); END")
    assert finding(run, "journal")[0] == "wrong"
    result = run("serve")
    assert (result.code, "cannot be written" in result.err) == (2, True)
    assert "serving" not in result.err


@pytest.mark.parametrize("command", [("journal", "list"), ("erase", "+447700900123"), ("reconcile",), ("check",)])
def test_only_serve_migrate_and_demo_make_a_journal(
    tmp_path: Path, run: Run, postgresql: PostgreSQL, command: tuple[str, ...]
) -> None:
    """In an empty database, too, and in an empty file."""
    url = postgresql.database()
    handler = f'target = "{STANDARD_OUTPUT}"'
    inbox = 'inbox = { username = "u", password = "p", url = "https://127.0.0.1:1" }'
    configured(tmp_path, url, handler=handler, account=inbox)
    result = run(*command)
    assert result.code == (0 if command == ("check",) else 1), result.err
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    (tmp_path / "empty.db").touch()
    configured(tmp_path, f"sqlite:///{tmp_path}/empty.db")
    run(*command)
    with sqlite3.connect(tmp_path / "empty.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_migrate_makes_one(tmp_path: Path, run: Run) -> None:
    """That is what it is for."""
    write_configuration(tmp_path)
    assert run("migrate").code == 0
    assert finding(run, "journal")[0] == "ok"


def test_each_missing_right_of_a_role_is_named(postgresql: PostgreSQL) -> None:
    """Rights on tables and on the sequences behind them, all at once, in the words of GRANT."""
    url = postgresql.database()
    Journal(url).close()
    theirs = role_of(postgresql, url, "reader")
    execute(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    execute(url, "GRANT INSERT, UPDATE, DELETE ON notification, reconciliation TO reader")
    with pytest.raises(JournalUnavailableError) as caught:
        examine(theirs)
    said = str(caught.value)
    assert said.startswith("the role reader may not write the journal; GRANT it ")
    assert all(f"{each} ON attempt" in said for each in ("INSERT", "UPDATE", "DELETE"))
    assert all(f"USAGE ON SEQUENCE public.{each}" in said for each in ("notification_seq_seq", "attempt_id_seq"))
    assert " ON notification," not in said
    for right in said.partition("GRANT it ")[2].split(", "):
        execute(url, f"GRANT {right} TO reader")
    found = examine(theirs)
    assert (found.user, found.is_current, found.accounts) == ("reader", True, {})


def test_a_role_that_may_not_make_tables_is_told_so(postgresql: PostgreSQL) -> None:
    """In an empty database the tables are made and rolled back."""
    url = postgresql.database()
    with pytest.raises(JournalUnavailableError, match="permission denied"):
        examine(role_of(postgresql, url, "newcomer"))
    found = examine(url)
    assert (found.user, found.revision) == ("postgres", None)


@pytest.mark.parametrize(("name", "verdict"), [("requests", "wrong"), ("statistics", "warning")])
def test_a_local_module_that_hides_a_librarys_is_said(tmp_path: Path, run: Run, name: str, verdict: str) -> None:
    """``requests.py`` beside the handlers takes the place of the library with which the inbox is called."""
    write_configuration(tmp_path)
    (tmp_path / f"{name}.py").touch()
    (tmp_path / "sms.py").touch()
    found, said = finding(run, f"module {name}")
    assert (found, str(tmp_path / f"{name}.py") in said) == (verdict, True)
    assert "module sms" not in run("check").out


def test_an_inbox_without_tls_is_warned_of(tmp_path: Path, run: Run) -> None:
    """Its password would go over the network in the clear."""
    write_configuration(
        tmp_path, account='inbox = { url = "http://inbox.example.com/x.asmx", username = "u", password = "p" }'
    )
    verdict, said = finding(run, "inbox.url of EX0012345")
    assert (verdict, "expected https" in said) == ("warning", True)


def test_a_bundle_without_certificates_is_wrong(tmp_path: Path, run: Run) -> None:
    """Each call to the inbox would fail with it."""
    (tmp_path / "ca.pem").write_text("no certificate")
    write_configuration(tmp_path, account='inbox = { username = "u", password = "p", ca_bundle = "ca.pem" }')
    assert finding(run, "inbox.ca_bundle of EX0012345")[0] == "wrong"


def test_notifications_of_a_name_that_no_account_bears_are_named(tmp_path: Path, run: Run) -> None:
    """Their account was renamed without an alias, or taken out: another push of them would count as new."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    write_configuration(tmp_path)
    with Journal(url) as journal:
        journal.record_all([entry(1), entry(2, account="ex0012345")])
    verdict, said = finding(run, "account.aliases")
    assert (verdict, "'EX0000001', the account of 1 notifications" in said) == ("warning", True)


def test_a_main_file_that_lost_its_log_is_named(run: Run, tmp_path: Path) -> None:
    """A small journal is in its -wal alone; ``serve`` would begin an empty one in the file that is left."""
    write_configuration(tmp_path)
    file = tmp_path / "journal.db"
    with Journal(f"sqlite:///{file}"):
        main = file.read_bytes()
    for each in tmp_path.glob("journal.db*"):
        each.unlink()
    file.write_bytes(main)
    assert "copied without its -wal" in run("check").out
    file.write_bytes(b"")
    assert "copied without its -wal" not in run("check").out
