"""What each PostgreSQL session is told, so that a commit is durable and a lost server is noticed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, make_url, text

from soap_handler.errors import JournalUnavailableError
from soap_handler.fast.compiled_sql import COMPILED
from soap_handler.journal import Journal
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.execute import PLAIN, execute
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from soap_handler.journal.execute import Executor
    from tests.journal.engines import PostgreSQL

TABLE = Table("thing", MetaData(), Column("number", Integer))
ROWS = [{"number": number} for number in range(20)]


def setting(url: str, name: str) -> str:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            connection.rollback()  # what was set must survive this
            return str(connection.execute(text(f"SELECT current_setting('{name}')")).scalar_one())
    finally:
        engine.dispose()


def with_options(url: str, options: str) -> str:
    return f"{url}&options={quote(options)}"


@pytest.mark.parametrize(
    ("asked", "used"), [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply",) * 2]
)
def test_a_commit_waits_for_the_disk(postgresql: PostgreSQL, asked: str, used: str) -> None:
    """Whatever the server or the role says, a commit is never less than durable; more than that may be asked for."""
    url = with_options(postgresql.database(), f"-c synchronous_commit={asked}")
    assert setting(url, "synchronous_commit") == used


@pytest.mark.parametrize(
    ("name", "ours"),
    [("statement_timeout", "30s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "15s")],
)
def test_nothing_waits_without_an_end(postgresql: PostgreSQL, name: str, ours: str) -> None:
    """There is a limit on each wait, and one that the operator has set stays."""
    url = postgresql.database()
    assert setting(url, name) == ours
    assert setting(with_options(url, f"-c {name}=7min"), name) == "7min"


@pytest.mark.parametrize("executor", [PLAIN, COMPILED], ids=["plain", "fast"])
def test_no_transaction_is_idle_without_an_end(postgresql: PostgreSQL, executor: Executor) -> None:
    """A host that freezes right behind many rows, ours or a handler's, loses its transaction and with it its locks."""
    url = postgresql.database()
    limited = with_options(url, "-c idle_in_transaction_session_timeout=200")
    engine, beside = open_engine(limited, executor), open_engine(url)
    try:
        with engine.begin() as connection:
            TABLE.create(connection)
        with engine.connect() as frozen, beside.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
            assert execute(frozen, insert(TABLE).inline(), ROWS) == len(ROWS)
            idle = text("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = :name")
            wait_for(lambda: not looking.execute(idle, {"name": make_url(url).database}).scalar())
            frozen.invalidate()
            assert looking.execute(TABLE.select()).all() == []
    finally:
        engine.dispose()
        beside.dispose()


def test_the_server_is_told_who_we_are(postgresql: PostgreSQL) -> None:
    """As application_name, unless the URL says another."""
    url = postgresql.database()
    assert setting(url, "application_name") == "soap_handler"
    assert setting(f"{url}&application_name=sms", "application_name") == "sms"


def test_a_server_that_is_gone_is_noticed_in_seconds(postgresql: PostgreSQL) -> None:
    """The driver watches the connection; no default of the system, which is hours, is left."""
    engine = open_engine(postgresql.database())
    told = make_url(engine.url).query
    engine.dispose()
    assert {"connect_timeout", "keepalives_idle", "keepalives_count", "tcp_user_timeout"} <= set(told)
    silence = int(str(told["keepalives_idle"])) + int(str(told["keepalives_interval"])) * int(
        str(told["keepalives_count"])
    )
    assert silence <= 15


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(JournalUnavailableError, match=r"psycopg.*pip install '\.\[postgresql\]'"):
        Journal("postgresql+psycopg://nobody@localhost/nowhere")


def test_a_server_that_takes_no_writes_is_not_used(postgresql: PostgreSQL) -> None:
    """A standby refuses at once instead of at the first push; with several hosts in the URL, the next one is tried."""
    url = with_options(postgresql.database(), "-c default_transaction_read_only=on")
    with pytest.raises(JournalUnavailableError, match="cannot be opened"):
        Journal(url)
