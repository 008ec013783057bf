"""The journal's URL, read by SQLAlchemy's own parser: its rules, its place on disk, and its form for logs and pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVERS: Final = {"sqlite": "pysqlite", "postgresql": "psycopg"}
"""For each engine the driver whose every wait has a limit of ours: no other one is taken."""
EXPECTED: Final = "a SQLAlchemy URL: sqlite:///file.db, or postgresql+psycopg://user:password@host/database"
_IN_MEMORY: Final = "a SQLAlchemy URL of a file on disk, such as sqlite:///file.db: memory keeps nothing"
_ONLY_A_PATH: Final = "a SQLAlchemy URL of SQLite with a path and nothing else: sqlite:///file.db"
_QUOTED: Final = "a SQLAlchemy URL whose user and password have %40 for @, %2F for /, %3A for : and %3F for ?"
_NOT_UTF_8: Final = "UTF-8 text"
_PORT: Final = "a SQLAlchemy URL whose port is a number up to 65535; % escapes (%3A for :) belong into a password"
_HIGHEST_PORT: Final = 65535
_PARAMETER: Final = re.compile(r"\?\w+=")  # before an @: where the query begins is a guess then


def check(url: str) -> None:
    """Return if a journal can be kept at a URL.

    Raises:
        ValueError: it cannot; the text says what was expected, and quotes nothing of the URL.
    """
    address = _read(url)
    backend = address.get_backend_name()
    if not has_limits(address):
        raise ValueError(EXPECTED)
    if backend == "sqlite":
        _check_sqlite(address)
    else:
        _check_postgresql(address)


def has_limits(address: URL) -> bool:
    """Whether the URL names one of the drivers that a journal takes."""
    from sqlalchemy.exc import NoSuchModuleError  # noqa: PLC0415 - heavy; the default needs no check

    try:
        return DRIVERS.get(address.get_backend_name()) == address.get_driver_name()
    except NoSuchModuleError:
        return False


def masked(url: str) -> str:
    """Return a URL without user, password and query, which may hold a password too: fit for logs and pages."""
    try:
        address = _read(url)
    except ValueError:
        return "***"
    path = "" if address.database is None else f"/{address.database}"
    if address.get_backend_name() == "sqlite":
        return f"{address.drivername}://{path}"
    host = address.host or ""
    host = f"[{host}]" if ":" in host else host
    login = "***@" if address.username or address.password else ""
    port = "" if address.port is None else f":{address.port}"
    return f"{address.drivername}://{login}{host}{port}{path}"


def relative_file(url: str) -> str | None:
    """Return the path of a SQLite journal that is given relative to some folder; ``None`` for any other URL."""
    try:
        check(url)
    except ValueError:
        return None  # validation says what is wrong with it
    return relative_path(url)


def relative_path(url: str) -> str | None:
    """Return the relative path of a SQLite file, of a journal or not; ``None`` for any other URL, memory's too."""
    try:
        address = _read(url)
    except ValueError:
        return None
    path = address.database or ""
    is_file = address.get_backend_name() == "sqlite" and path not in {"", ":memory:"} and not path.startswith("file:")
    return path if is_file and not Path(path).is_absolute() else None


def in_folder(url: str, folder: Path) -> str:
    """Return the URL of a SQLite file with its relative path completed by a folder.

    Raises:
        UnicodeEncodeError: the folder's path is not UTF-8, and no URL can name it.
    """
    address = _read(url)
    return address.set(database=str(folder / (address.database or ""))).render_as_string(hide_password=False)


def _read(url: str) -> URL:
    """Return a URL in its parts.

    Raises:
        ValueError: it is none.
    """
    from sqlalchemy import make_url  # noqa: PLC0415 - heavy; the default needs no check
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - with it

    try:
        url.encode()
    except UnicodeEncodeError:  # bytes of the environment that are no text
        raise ValueError(_NOT_UTF_8) from None
    try:
        return make_url(url)
    except ArgumentError:
        raise ValueError(EXPECTED) from None
    except ValueError:  # the port is no number; Python's text quotes it, and it may be a part of a password
        raise ValueError(_PORT) from None


def _check_sqlite(address: URL) -> None:
    if address.query or address.username or address.password or address.host or address.port:
        in_memory = {"uri", "mode", "vfs"} & address.query.keys()
        raise ValueError(_IN_MEMORY if in_memory else _ONLY_A_PATH)
    path = (address.database or "").strip()
    if path in {"", ":memory:"}:
        raise ValueError(_IN_MEMORY)
    if path.lower().startswith("file:"):  # a URI of SQLite, which may name memory in many ways
        raise ValueError(_ONLY_A_PATH)
    if "\0" in path:
        raise ValueError(_ONLY_A_PATH)


def _check_postgresql(address: URL) -> None:
    if "@" in (address.host or "") or "?" in (address.username or "") or _PARAMETER.search(address.password or ""):
        raise ValueError(_QUOTED)
    if not 0 <= (address.port or 0) <= _HIGHEST_PORT:
        raise ValueError(_PORT)
