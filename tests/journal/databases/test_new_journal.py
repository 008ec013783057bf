"""A new journal: made at once, and yet the same as one that went through all migrations."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.journal import Journal, Selection, migrate
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.schema import metadata
from tests.journal.engines import without_journal
from tests.journal.entries import entry
from tests.support.events import captured_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[3]

# All that the two engines know of a table. What is compared is what they tell, not the text that made it: the columns
# that a migration added stand elsewhere in that.
CATALOGUE: Final = {
    "sqlite": """
        SELECT type, name, tbl_name, sql LIKE '%AUTOINCREMENT%', sql LIKE '%CHECK%', sql LIKE '%ROWID%'
            FROM sqlite_master;
        SELECT t.name, c.* FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table';
        SELECT t.name, i.name, i."unique", i.origin, i.partial
            FROM sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table';
        SELECT i.name, c.* FROM sqlite_master i, pragma_index_xinfo(i.name) c WHERE i.type = 'index';
        SELECT t.name, f.* FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table';
        SELECT name, sql FROM sqlite_master WHERE type = 'index'
    """,
    "postgresql": """
        SELECT relname, relkind, relpersistence FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind <> 't';
        SELECT table_name, column_name, ordinal_position, data_type, udt_name, character_maximum_length, is_nullable,
            column_default, is_identity, collation_name FROM information_schema.columns WHERE table_schema = 'public';
        SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace;
        SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public';
        SELECT sequencename, data_type::text, start_value, increment_by, cycle FROM pg_sequences
    """,
}
REVISION: Final = "SELECT version_num FROM alembic_version"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return without_journal(request, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


def told(connection: Connection) -> list[list[tuple[Any, ...]]]:
    """Return what the engine tells of all tables, and which revision they are."""
    queries = [*CATALOGUE[connection.dialect.name].split(";"), REVISION]
    return [sorted((tuple(map(_plain, row)) for row in connection.execute(text(query))), key=str) for query in queries]


def _plain(value: object) -> object:
    return re.sub(r'[\s"]+', " ", value).replace("notification.state", "state") if isinstance(value, str) else value


def made_by(engine: Engine, make: Callable[[Connection], None]) -> list[list[tuple[Any, ...]]]:
    """Return what the engine tells after the tables were made in one of the ways; none is left."""
    with engine.begin() as connection:
        make(connection)
        found = told(connection)
    with engine.begin() as connection:
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)
    assert inspect(engine).get_table_names() == []
    return found


def opened_in_another_process(url: str) -> str:
    """Open the journal and say whether that took Alembic."""
    code = (
        "import sys; from soap_handler.journal import Journal; Journal(sys.argv[1]).close();"
        " print('alembic' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, capture_output=True, timeout=30, check=True)
    return ended.stdout.decode().strip()


def test_head_is_alembics_head() -> None:
    """What a new journal is marked with is the revision that the migrations end at."""
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_made_at_once_or_migrated_is_the_same(engine: Engine) -> None:
    """Tables, columns, types, keys, indexes with their conditions and the revision: the engine sees no difference."""
    at_once = made_by(engine, migrate.create)
    assert made_by(engine, migrate.upgrade) == at_once
    assert {row[0] for row in at_once[1]} == {*metadata.tables, "alembic_version"}


def test_a_new_journal_is_made_without_alembic(url: str) -> None:
    """Neither the first start nor a later one pays for the import of what only a new release needs."""
    assert [opened_in_another_process(url), opened_in_another_process(url)] == ["False", "False"]


def test_a_journal_made_at_once_can_be_migrated_further(url: str, engine: Engine) -> None:
    """Alembic takes a new journal for its own: it finds the revision, and nothing to do."""
    Journal(url).close()
    with engine.begin() as connection:
        before = told(connection)
        migrate.upgrade(connection)
        assert told(connection) == before


def test_beside_the_tables_of_others_it_is_migrated(url: str, engine: Engine) -> None:
    """A database that is not empty goes through the migrations, and what is in it is left alone."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE votes (id INTEGER)"))
        connection.execute(text("INSERT INTO votes VALUES (7)"))
    assert opened_in_another_process(url) == "True"
    with Journal(url) as journal:
        assert journal.record(entry(1))
        assert len(journal.records(Selection())) == 1
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT id FROM votes")).all() == [7]


def test_what_cannot_be_made_is_not_made_in_part(engine: Engine) -> None:
    """All or nothing: when one table cannot be made, the database is as before, and the next start begins anew."""
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW attempt AS SELECT 1"))
    with pytest.raises(SQLAlchemyError, match="attempt"):
        migrate.migrate(engine)
    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW attempt"))
    assert [migrate.migrate(engine), migrate.migrate(engine)] == [None, migrate.HEAD]


def test_who_opens_a_new_file_waits_for_another_that_does(tmp_path: Path) -> None:
    """Until the file is in WAL mode, SQLite refuses at once to put it there while another writes; it is asked again."""
    place = tmp_path / "journal.db"
    other = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as thread:
        opening = thread.submit(Journal, f"sqlite:///{place}")
        done, _ = wait([opening], timeout=0.3)
        other.execute("COMMIT")
        opening.result(timeout=10).close()
    other.close()
    assert not done


def test_that_a_journal_is_new_is_told(url: str) -> None:
    """Once: an operator who expects one there learns that it is empty. The password is not in it."""
    with captured_events() as events:
        for _ in range(2):
            Journal(url).close()
    (made,) = [event["journal"] for event in events if event["event"] == "journal_made"]
    assert made.rpartition("/")[2] == url.partition("?")[0].rpartition("/")[2]
