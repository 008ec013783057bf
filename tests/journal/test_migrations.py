"""The tables: brought up to date once, the same as the schema says, and left alone when they are newer."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from soap_handler.errors import SchemaError
from soap_handler.journal import Journal, Selection, migrate
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.schema import metadata
from tests.journal.engines import without_journal
from tests.journal.entries import entry

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return without_journal(request, tmp_path)


def test_head_is_the_newest_revision() -> None:
    """The number in the program and the newest file say the same, and the files form one chain."""
    files = sorted(VERSIONS.glob("[0-9]*.py"))
    assert files[-1].name.startswith(f"{migrate.HEAD}_")
    chain = [re.findall(r"^(?:down_)?revision = (.*)$", file.read_text(), re.MULTILINE) for file in files]
    assert [own for own, _ in chain] == [f'"{file.name[:4]}"' for file in files]
    assert [before for _, before in chain] == ["None", *[own for own, _ in chain[:-1]]]


def test_migrated_tables_are_those_of_the_schema(url: str) -> None:
    """Alembic finds no difference between what the migrations made and what the program expects."""
    Journal(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = [each for each in compare_metadata(context, metadata) if "alembic_version" not in str(each)]
    engine.dispose()
    assert differences == []


def test_migrated_indexes_hold_only_the_work_to_do(url: str) -> None:
    """The partial indexes are the schema's, their conditions included, which Alembic does not compare."""
    Journal(url).close()
    engine = create_engine(url)
    migrated = indexes(engine)
    with engine.begin() as connection:
        for table in ("attempt", "notification"):
            connection.execute(text(f"DROP TABLE {table}"))
    metadata.create_all(engine)
    assert indexes(engine) == migrated
    engine.dispose()
    assert sum("WHERE" in index for index in migrated) == 5


def indexes(engine: Engine) -> list[str]:
    """Return the statement of every index, without white space and brackets that mean nothing."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }[engine.dialect.name]
    with engine.connect() as connection:
        found = [re.sub(r'[\s"]+', " ", line) for line in connection.execute(text(query)).scalars()]
    return sorted(line.replace("notification.state", "state") for line in found if "alembic" not in line)


def test_opening_again_changes_nothing(url: str) -> None:
    """What was stored is there when the journal is opened again."""
    with Journal(url) as journal:
        journal.record(entry(1))
        before = journal.records(Selection())
    with Journal(url) as journal:
        assert journal.records(Selection()) == before


def test_tables_of_a_newer_release_are_refused(url: str) -> None:
    """Unknown tables are not touched, and the error names both revisions."""
    Journal(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=rf"9999.*{migrate.HEAD}"):
        Journal(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_a_migration_that_breaks_off_leaves_nothing(url: str) -> None:
    """All or nothing: a half-made schema would never be finished."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE attempt (something INTEGER)"))
    with pytest.raises(Exception, match="attempt"):
        Journal(url)
    assert inspect(engine).get_table_names() == ["attempt"]
    engine.dispose()


def test_many_that_open_a_new_journal_at_once_all_succeed(url: str) -> None:
    """The tables are made once, whoever comes first; the others wait and find them."""
    with ThreadPoolExecutor(6) as threads:
        journals = list(threads.map(lambda _: Journal(url), range(6)))
    for number, journal in enumerate(journals):
        assert journal.record(entry(number))
        journal.close()


def test_a_folder_with_a_percent_sign_is_a_folder(tmp_path: Path) -> None:
    """No character of a path means anything."""
    place = tmp_path / "100% of #it?"
    place.mkdir()
    with Journal(f"sqlite:///{place}/journal.db".replace("?", "%3F").replace("#", "%23")) as journal:
        assert journal.record(entry(1))
