"""A database as a stranger sees it, by its URL: past the engine of the journal or sink that has it open."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, make_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """Open a database for one transaction, which is committed at the end."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def listening(name: str, told: Callable[..., object]) -> Iterator[None]:
    """Have an event of SQLAlchemy told of every engine of this process."""
    event.listen(Engine, name, told)
    try:
        yield
    finally:
        event.remove(Engine, name, told)


@contextmanager
def each_commit(url: str, told: Callable[[Connection], object]) -> Iterator[None]:
    """Call a function at each commit on a database, before the database hears of it, in the committing thread."""
    database = make_url(url).database

    def commit(connection: Connection) -> None:
        if connection.engine.url.database == database:
            told(connection)

    with listening("commit", commit):
        yield
