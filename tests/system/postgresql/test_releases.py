"""The tables of earlier releases are brought up to date with what is in them, by the service and by the command."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from soap_handler.errors import SchemaError
from soap_handler.journal import Journal, Selection, State
from soap_handler.journal.migrate import HEAD, migrate_journal
from soap_handler.journal.schema import metadata
from tests.journal.engines import without_journal
from tests.journal.entries import LEASE, START, entry, message
from tests.support import fork_server

if TYPE_CHECKING:
    import subprocess

    from tests.journal.engines import PostgreSQL

RELEASES = sorted({path.name.partition(".")[0] for path in (Path(__file__).parent / "releases").iterdir()})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return without_journal(request, tmp_path)


def restore(url: str, revision: str) -> None:
    """Fill an empty database with what a release left: a message that is done, and one that waits."""
    engine = create_engine(url)
    dump = (Path(__file__).parent / "releases" / f"{revision}.{engine.dialect.name}.sql").read_text()
    if engine.dialect.name == "sqlite":
        engine.dispose()
        connection = sqlite3.connect(str(make_url(url).database))
        connection.executescript(dump)
        connection.close()
        return
    with engine.begin() as opened:
        opened.connection.cursor().execute(dump)
    engine.dispose()


def differences(url: str) -> list[object]:
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [each for each in compare_metadata(context, metadata) if "alembic_version" not in str(each)]
    engine.dispose()
    return found


@pytest.mark.parametrize("revision", RELEASES)
def test_a_journal_of_an_earlier_release_goes_on(url: str, revision: str) -> None:
    """What was done is known, what waited is handled, and the tables are the same as those of a new journal."""
    restore(url, revision)
    with Journal(url) as journal:
        assert {record.key: record.state for record in journal.records(Selection())} == {
            message(0).key: State.DONE,
            message(1).key: State.RECEIVED,
        }
        assert not journal.record(entry(0)), "a duplicate of what was done"
        assert journal.record(entry(7))
        claims = journal.claim(5, LEASE)
        assert message(1).key in {claim.key for claim in claims}
        assert [attempt.outcome for attempt in journal.history(1)] == ["ok", "duplicate"]
        assert (journal.records(Selection(key=message(0).key))[0].caller, journal.history(1)[0].caller) == (None, None)
    assert differences(url) == []


@pytest.mark.parametrize("revision", RELEASES)
def test_the_revision_before_is_told(url: str, revision: str) -> None:
    """From an earlier release, from nothing, and where there is nothing to do."""
    restore(url, revision)
    assert [migrate_journal(url), migrate_journal(url)] == [revision, HEAD]


def run(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    (folder / "soap-handler.toml").write_text(
        f'[journal]\nurl = "{url}"\n'
        '[[account]]\nreference = "EX0012345"\npush = [{ username = "ems", password = "s3cret" }]\n'
    )
    return fork_server.run("soap_handler", "migrate", cwd=folder, env={"COLUMNS": "200"})


def test_the_command_says_what_it_did(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """Migrated from which revision to which, or up to date; a newer release is refused with exit code 2."""
    url = postgresql.database()
    restore(url, RELEASES[0])
    migrated, again = run(tmp_path, url), run(tmp_path, url)
    assert (migrated.returncode, again.returncode) == (0, 0), migrated.stderr + again.stderr
    assert f"is migrated from {RELEASES[0]} to revision {HEAD}" in migrated.stdout
    assert f"is up to date: revision {HEAD}" in again.stdout
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    newer = run(tmp_path, url)
    assert newer.returncode == 2
    assert "9999" in newer.stderr
    with pytest.raises(SchemaError):
        Journal(url)


def test_a_service_needs_no_right_to_change_tables(postgresql: PostgreSQL) -> None:
    """Once somebody else has migrated, a user who may only read and write can serve."""
    url = postgresql.database()
    migrate_journal(url)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE ROLE clerk LOGIN"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk"))
        connection.execute(text("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO clerk"))
    engine.dispose()
    with Journal(url.replace("//postgres@", "//clerk@")) as journal:
        assert journal.record(entry(1))
        assert [claim.received_at for claim in journal.claim(1, LEASE)] == [START]
