"""Peek: one record of a journal that stays exactly as it is. Nothing is made, migrated or written, not even a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import queries
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.databases.errors import reason
from soap_handler.journal.databases.sqlite import READ_ONLY
from soap_handler.journal.records import Selection

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from soap_handler.journal.records import Record

_BUSY_SECONDS: Final = 5.0


def peek(url: str, key: str) -> Record | None:
    """Return the record of a key in the journal at a SQLAlchemy URL, or ``None``.

    Raises:
        sqlalchemy.exc.ArgumentError: the text is no SQLAlchemy URL, or names an engine that is not known.
        JournalUnavailableError: there is no journal, or it cannot be read: its tables may be of another release.
    """
    engine = _open(url)
    try:
        with engine.connect().execution_options(**READ_ONLY) as connection:
            found = queries.records(connection, Selection(key=key), 1, 0)
    except SQLAlchemyError as error:
        raise JournalUnavailableError(f"the journal cannot be read: {reason(error)}") from error
    finally:
        engine.dispose()
    return found[0] if found else None


def _open(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return open_engine(url)
    path = Path(address.database or "")
    if not path.is_file():
        raise JournalUnavailableError(f"there is no journal at {path}")
    # Without a -wal beside it no process has the file open. SQLite would then make one, unless the file is immutable.
    is_open = Path(f"{path}-wal").exists()
    mode = "mode=ro" if is_open else "immutable=1"
    file = f"sqlite:///file:{quote(str(path.absolute()))}?{mode}&uri=true"
    return create_engine(file, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})
