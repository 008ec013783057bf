"""What stands between the service and PostgreSQL: a pooler in transaction mode is refused, a small pool is named."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import Journal, State, examine
from soap_handler.journal.databases import silence
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.databases.pooler import SESSIONS, sessions_available
from tests.journal.entries import LEASE, ended, entry
from tests.support.events import captured_events
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.journal.engines import PostgreSQL

    Pooling = Callable[..., str]

BROKEN: Final = "ValueError: it\u2019s \u201cbroken\u201d"
PROGRAM: Final = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.database()


@pytest.fixture
def pooled(url: str, postgresql: PostgreSQL) -> Iterator[Pooling]:
    """Return a function that starts PgBouncer before a new database, and returns the URL through it."""
    if shutil.which(PROGRAM) is None:
        pytest.skip("PgBouncer is not on this machine")
    running: list[subprocess.Popen[bytes]] = []
    user = postgresql.account  # PgBouncer refuses to run as root, too
    folder = Path(tempfile.mkdtemp(prefix="pooler-", dir=postgresql.folder))
    if user:
        shutil.chown(folder, user)

    def start(mode: str, size: int = 20) -> str:
        (folder / "users.txt").write_text('"postgres" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={postgresql.folder}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
            f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder / 'users.txt'}\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\n"
        )
        command = [PROGRAM, *(["-u", user] if user else []), str(folder / "pgbouncer.ini")]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        through = make_url(url).update_query_dict({"host": str(folder), "port": "6432"})
        text = through.render_as_string(hide_password=False)
        wait_for(lambda: answers(text))
        return text

    yield start
    for each in running:
        each.kill()
        each.wait(10)


def answers(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect():
            return True
    except DBAPIError:
        return False
    finally:
        engine.dispose()


def available(url: str) -> int:
    engine = open_engine(url)
    try:
        return sessions_available(engine)
    finally:
        engine.dispose()


def test_a_pooler_in_transaction_mode_is_refused(pooled: Pooling) -> None:
    """It would hand our settings to others, and LISTEN would hear nothing: a sentence at the start, before any push."""
    url = pooled("transaction")
    for find_out in (Journal, examine):  # as ``serve`` does, and as ``check`` does
        with pytest.raises(JournalUnavailableError, match="shares sessions between transactions; expected a direct"):
            find_out(url)


def test_a_pooler_in_session_mode_is_as_good_as_none(pooled: Pooling) -> None:
    """Each connection keeps its session."""
    url = pooled("session")
    with Journal(url) as journal:
        assert examine(url).is_current
        assert journal.record(entry(1))
        assert available(url) == SESSIONS


def test_a_pool_that_is_too_small_is_named(pooled: Pooling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service says how many sessions there are and how many it holds; commands that need one work."""
    monkeypatch.setattr(silence.Session, "silence_limit", 0.3)
    url = pooled("session", 2)
    with captured_events() as events, Journal(url) as journal:
        assert journal.record(entry(1))
        assert [each for each in events if each["event"] == "journal_pool_small"] == []
    with captured_events() as events, Journal(url) as journal:
        journal.listen(lambda: None)
        wait_for(lambda: "journal_pool_small" in {each["event"] for each in events})
    (said,) = [each for each in events if each["event"] == "journal_pool_small"]
    assert (said["sessions"], said["needed"]) == (2, SESSIONS)


def test_a_server_without_a_pooler_is_not_tried(url: str) -> None:
    """It has as many sessions as it says; none is opened for the question."""
    assert available(url) == SESSIONS


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused(postgresql: PostgreSQL, encoding: str) -> None:
    """It could not store a typographic quote, or not say what it has stored: a sentence at the start."""
    name = f"in_{encoding.lower()}"
    postgresql.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(JournalUnavailableError, match=f"has the encoding {encoding}; expected UTF8"):
        Journal(postgresql.url(name))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_the_environments_encoding_does_not_count(url: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGCLIENTENCODING decides for other programs; every text can be stored and is read back, a result's too."""
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with Journal(url) as journal:
        assert journal.record(entry(1))
        (claim,) = journal.claim(1, LEASE)
        assert journal.settle([ended(claim, State.DEAD, error=BROKEN)]) == [True]
        assert journal.history(claim.seq)[0].error == BROKEN
        query = "SELECT '„5 €“', current_setting('client_encoding')"
        assert journal.read(lambda connection: tuple(connection.exec_driver_sql(query).one())) == ("„5 €“", "UTF8")
