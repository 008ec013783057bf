"""The sink that inserts into a table: SQLite, PostgreSQL and MariaDB; SQL Server and Oracle as far as their words."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, insert, text
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import RetryLater, SinkDownError, SinkRefusedError
from soap_handler.settings.sinks import SQL_ATTRIBUTES, SqlSettings
from soap_handler.sinks import sql
from soap_handler.sinks.form import form
from soap_handler.sinks.sql import Sql, ddl
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received
from tests.support.database import opened
from tests.support.postgresql import PostgreSQL, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MariaDb:
    """A MariaDB of the tests' own, on a free port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data = self._folder / "data"
        if not data.exists():
            install = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
            options = ["--auth-root-authentication-method=normal", f"--tmpdir={self._folder}"]
            subprocess.run([*install, *options], check=True, capture_output=True)
        self._process = subprocess.Popen(
            [
                "mariadbd",
                "--no-defaults",
                "--user=root",
                f"--datadir={data}",
                f"--tmpdir={self._folder}",
                f"--socket={self._folder / 's'}",
                "--bind-address=127.0.0.1",
                f"--port={self.port}",
                "--innodb-buffer-pool-size=16M",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        engine = create_engine(self.url("mysql"))
        deadline = time.monotonic() + 90
        while True:
            try:
                with engine.begin() as connection:
                    connection.execute(text("CREATE DATABASE IF NOT EXISTS sms"))
            except SQLAlchemyError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                break
        engine.dispose()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def url(self, database: str) -> str:
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    """Return a running MariaDB."""
    pytest.importorskip("pymysql")
    if shutil.which("mariadbd") is None:
        pytest.skip("MariaDB is not installed")
    found = MariaDb(tmp_path_factory.mktemp("mariadb"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sms.db'}"
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        return server.database()
    maria: MariaDb = request.getfixturevalue("mariadb")
    engine = create_engine(maria.url("mysql"))
    with engine.begin() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS sms"))
        connection.execute(text("CREATE DATABASE sms"))
    engine.dispose()
    return maria.url("sms")


@pytest.fixture(scope="module")
def postgresql_server() -> Iterator[PostgreSQL]:
    """Return a running PostgreSQL."""
    with running(PostgreSQL) as server:
        yield server


@contextmanager
def table(url: str, **settings: Any) -> Iterator[Sql]:
    sink = Sql(SqlSettings.model_validate({"type": "sql", "url": url, "timeout": 10, **settings}))
    try:
        yield sink
    finally:
        sink.close()


def rows(url: str, sink: Sql) -> list[dict[str, Any]]:
    with opened(url) as connection:
        return [dict(row) for row in connection.execute(sink.table.select()).mappings()]


def test_each_kind_becomes_a_row_once(url: str) -> None:
    """A second delivery of the same notification is a success and changes nothing."""
    with table(url) as sink:
        sink.create_table()
        sink.create_table()  # again: it is there already
        for delivery in ALL_KINDS * 2:
            sink.deliver(delivery)
        found = {row["key"]: row for row in rows(url, sink)}
        assert sorted(found) == sorted(each.notification.key for each in ALL_KINDS)
        assert len(rows(url, sink)) == len(ALL_KINDS)
        assert "every column" in sink.probe()
    for delivery in ALL_KINDS:
        row = found[delivery.notification.key]
        assert json.loads(row["payload"]) == form(delivery)
        assert row["kind"] == delivery.notification.kind
        assert row["stored_at"].replace(microsecond=0) == delivery.stored_at.replace(tzinfo=None, microsecond=0)


def test_each_text_can_be_stored(url: str) -> None:
    """What the column cannot hold is replaced there; the payload has it exactly."""
    with table(url) as sink:
        sink.create_table()
        for name, body in AWKWARD.items():
            sink.deliver(received(name, body))
        found = {row["id"]: row for row in rows(url, sink)}
    for name, body in AWKWARD.items():
        assert json.loads(found[name]["payload"])["body"] == body
        if name not in {"nul", "surrogate"}:
            assert found[name]["body"] == body


def test_a_table_of_ones_own_gets_its_own_columns(url: str) -> None:
    """Columns are mapped by name; further ones keep their defaults."""
    with table(url, table="inbox", columns={"key": "sms_key", "body": "words"}) as sink:
        with opened(url) as connection:
            connection.execute(
                text("CREATE TABLE inbox (sms_key VARCHAR(200) UNIQUE, words VARCHAR(20), seen INT DEFAULT 0)")
            )
        sink.deliver(received(body="hi"))
        with opened(url) as connection:
            assert connection.execute(text("SELECT words, seen FROM inbox")).all() == [("hi", 0)]


def test_a_row_that_is_refused_does_not_refuse_the_others(url: str) -> None:
    """Another constraint, or a text that is too long, is that notification's fault; the others are there."""
    with table(url, table="inbox", columns={"key": "k", "body": "b"}) as sink:
        with opened(url) as connection:
            connection.execute(text("CREATE TABLE inbox (k VARCHAR(200) UNIQUE, b VARCHAR(9) CHECK (b <> 'bad'))"))
        if not url.startswith("mysql"):  # MariaDB calls a violated CHECK an operational error
            sink.deliver(received("1", "a"))
            with pytest.raises(SinkRefusedError):
                sink.deliver(received("2", "bad"))
            sink.deliver(received("3", "c"))
            assert sorted(row["b"] for row in rows(url, sink)) == ["a", "c"]
        if not url.startswith("sqlite"):  # SQLite has no lengths
            with pytest.raises(SinkRefusedError):
                sink.deliver(received("4", "x" * 10))


def test_several_rows_share_one_commit(postgresql_server: PostgreSQL) -> None:
    """One transaction for all that go together."""
    url = postgresql_server.database()
    with table(url, batch=10) as sink:
        sink.create_table()
        sink.deliver(received("lone"))
        assert sink.deliver_all([received(str(number)) for number in range(9)]) == [None] * 9
        with opened(url) as connection:
            found = connection.execute(text("SELECT xmin::text, count(*) FROM sms_notification GROUP BY 1")).all()
    assert sorted(count for _, count in found) == [1, 9]


def test_with_many_connections_batches_are_smaller() -> None:
    """What is under way at once has a bound, also where only the number of connections is set."""
    with table("sqlite://", concurrency=4) as few, table("sqlite://", concurrency=200) as many:
        assert (few.batch, many.batch) == (32, 5)


def test_one_bad_row_of_a_batch_harms_no_other(url: str) -> None:
    """The batch is split: what is refused, or is there already, is told apart row by row."""
    with table(url, table="inbox", columns={"key": "k", "body": "b"}) as sink:
        with opened(url) as connection:
            connection.execute(text("CREATE TABLE inbox (k VARCHAR(200) UNIQUE, b VARCHAR(9) CHECK (b <> 'bad'))"))
        sink.deliver(received("1", "a"))
        verdicts = sink.deliver_all([received(*each) for each in zip("1234", ["a", "bad", "c", "d"], strict=True)])
        assert [type(each) for each in verdicts] in (
            [NoneType, SinkRefusedError, NoneType, NoneType],
            [NoneType, SinkDownError, NoneType, NoneType],  # MariaDB calls a violated CHECK an operational error
        )
        assert sorted(row["b"] for row in rows(url, sink)) == ["a", "c", "d"]


def test_a_database_that_is_away_fails_a_batch_once(mariadb: MariaDb) -> None:
    """One failure of the destination, whatever the number of rows; none is inserted alone."""
    url = mariadb.url("sms")
    with table(url, table="batch_away") as sink:
        sink.create_table()
        several = [received(str(number)) for number in range(5)]
        mariadb.stop()
        verdicts = sink.deliver_all(several)
        mariadb.start()
        assert [each.is_echo for each in verdicts if isinstance(each, SinkDownError)] == [False, *[True] * 4]
        assert sink.deliver_all(several) == [None] * 5
        assert len(rows(url, sink)) == 5


def test_no_row_is_inserted_alone_once_time_is_up(postgresql_server: PostgreSQL) -> None:
    """A table that is locked for longer fails the batch in half of the timeout, and that for all."""
    url = postgresql_server.database()
    with table(url, timeout=2) as sink:
        sink.create_table()
        several = [received(str(number)) for number in range(3)]
        with opened(url) as connection:
            connection.execute(text("LOCK TABLE sms_notification"))
            began = time.monotonic()
            assert all(isinstance(each, SinkDownError | RetryLater) for each in sink.deliver_all(several))
            assert time.monotonic() - began < 10
            connection.rollback()
        assert sink.deliver_all(several) == [None] * 3


def test_a_missing_table_is_the_sinks_fault(url: str) -> None:
    """Named by the probe, which says what makes it, and the fault of the sink at a delivery."""
    with table(url, table="nowhere") as sink:
        with pytest.raises(
            SinkDownError, match=r"^there is no table nowhere; soap-handler sink create-table makes it$"
        ):
            sink.probe()
        with pytest.raises(SinkDownError):
            sink.deliver(received())


def test_the_options_of_a_url_count_beside_ours(postgresql_server: PostgreSQL) -> None:
    """A search_path chooses the table; our limit of time holds too."""
    url = postgresql_server.database()
    with opened(url) as connection:
        connection.execute(text("CREATE SCHEMA sms"))
    with table(f"{url}&options=-csearch_path%3Dsms") as sink:
        sink.create_table()
        sink.deliver(received())
    with opened(url) as connection:
        assert connection.execute(text("SELECT count(*) FROM sms.sms_notification")).scalar() == 1


def test_what_sqlite_says_no_with_is_named(tmp_path: Path) -> None:
    """By the name of its code, since its text may quote values: here another writer holds the lock."""
    with table(f"sqlite:///{tmp_path / 'sms.db'}", timeout=0.2) as sink:
        sink.create_table()
        with closing(sqlite3.connect(tmp_path / "sms.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SinkDownError, match=r"^OperationalError \(SQLITE_BUSY\)$"):
                sink.deliver(received())


def test_a_missing_column_is_named(url: str) -> None:
    """By the probe, before the first message comes."""
    with table(url, table="inbox", columns={"key": "k", "body": "b"}) as sink:
        with opened(url) as connection:
            connection.execute(text("CREATE TABLE inbox (k VARCHAR(200) UNIQUE)"))
        with pytest.raises(SinkDownError, match="no column b"):
            sink.probe()


def test_a_database_that_was_away_is_found_again(mariadb: MariaDb) -> None:
    """Killed and started again: the same sink goes on, and what it had confirmed is there."""
    url = mariadb.url("sms")
    with table(url, table="away") as sink:
        sink.create_table()
        sink.deliver(received("1"))
        mariadb.stop()
        with pytest.raises(SinkDownError):
            sink.deliver(received("2"))
        mariadb.start()
        sink.deliver(received("2"))
        assert sorted(row["id"] for row in rows(url, sink)) == ["1", "2"]


def test_a_refused_login_tells_no_password(mariadb: MariaDb) -> None:
    """The reason has the code of the error alone."""
    url = f"mysql+pymysql://who:s3cret@127.0.0.1:{mariadb.port}/sms"
    with table(url) as sink, pytest.raises(SinkDownError, match=r"28000|1045") as caught:
        sink.deliver(received())
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (postgresql.dialect, ["key VARCHAR(512) NOT NULL", "body TEXT", "stored_at TIMESTAMP WITHOUT TIME ZONE"]),
        (mysql.dialect, ["`key` VARCHAR(512) NOT NULL", "utf8mb4_bin"]),
        (mssql.dialect, ["[key] VARCHAR(512) NOT NULL", "failure_is_permanent BIT"]),
        (oracle.dialect, ["VARCHAR2(512 CHAR) NOT NULL", "body CLOB"]),
    ],
    ids=["postgresql", "mysql", "mssql", "oracle"],
)
def test_the_table_can_be_created_in_each_database(make: Any, words: list[str]) -> None:
    """The words that an administrator is given."""
    settings = SqlSettings.model_validate({"type": "sql", "url": "sqlite://"})
    statement = ddl(settings, make())
    for each in [*words, "UNIQUE"]:
        assert each in statement


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (mssql.dialect, "INSERT INTO crm.inbox ([key], text, kind) VALUES (:key, :text, :kind)"),
        (oracle.dialect, "INSERT INTO crm.inbox (key, text, kind) VALUES (:key, :text, :kind)"),
    ],
    ids=["mssql", "oracle"],
)
def test_the_statement_is_one_that_the_database_knows(make: Any, expected: str) -> None:
    """One row, words that are reserved in quotes, and nothing that asks for a number of the row's back."""
    columns = {"key": "key", "body": "text", "kind": "kind"}
    settings = {"type": "sql", "url": "sqlite://", "table": "crm.inbox", "columns": columns}
    table, _ = sql.table_of(SqlSettings.model_validate(settings))
    assert str(insert(table).compile(dialect=make(paramstyle="named"))) == expected


def test_every_attribute_has_a_type() -> None:
    """A table that is told no columns has one for each attribute that the settings know."""
    table, columns = sql.table_of(SqlSettings.model_validate({"type": "sql", "url": "sqlite://"}))
    assert set(columns) == set(table.columns.keys()) == SQL_ATTRIBUTES
