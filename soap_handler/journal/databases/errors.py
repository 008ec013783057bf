"""What an error of the database means: out of reach, a bad request, or a collision. No statements here."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from soap_handler.errors import JournalRefusedError, JournalUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNREACHABLE: Final = (DBAPIError, DisconnectionError, PoolTimeoutError, OSError, JournalUnavailableError)
_BAD_REQUEST: Final = (DataError, IntegrityError, ProgrammingError)  # the request is to blame, not the database
# Classes of SQLSTATE where the request is to blame too, whatever the driver calls its error: not supported, too many
# or too few rows, data, integrity, syntax or rights, beyond a limit of the server (a row too long for an index).
_BAD_REQUEST_STATES: Final = ("0A", "21", "22", "23", "42", "54")
_COLLISIONS: Final = ("40001", "40P01")  # SQLSTATE: serialization failure, deadlock detected
_REASON_LENGTH: Final = 200  # characters


def is_of_database(error: Exception) -> bool:
    """Whether the database, its driver or the way to it raised this."""
    return isinstance(error, (SQLAlchemyError, OSError, JournalUnavailableError))


def may_spoil_others(requests: Sequence[object], error: Exception) -> bool:
    """Whether one of several requests may be bad, and the others would go through without it.

    Two processes on PostgreSQL that waited for each other's rows count too: request by request, that cannot happen.
    """
    return len(requests) > 1 and (_is_collision(error) or not _is_out_of_reach(error))


def as_journal_error(error: Exception) -> JournalUnavailableError:
    """Return the error that a caller of the journal is given; its text holds no values."""
    kind = JournalUnavailableError if _is_out_of_reach(error) else JournalRefusedError
    return kind(f"the journal cannot commit: {reason(error)}")


def reason(error: Exception) -> str:
    """Return what the database said, without the statement and its values: they hold personal data."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if type(cause).__module__ == "builtins" and isinstance(cause, OSError) and cause.strerror:
        where = f"{cause.filename}: " if cause.filename else ""
        return f"{type(cause).__name__}: {where}{cause.strerror}"
    first_line = next(iter(str(cause).splitlines()), "")  # PostgreSQL quotes values in the lines that follow
    return f"{type(cause).__name__}: {' '.join(first_line.split())[:_REASON_LENGTH]}"


def _is_out_of_reach(error: Exception) -> bool:
    return isinstance(error, _UNREACHABLE) and not (isinstance(error, _BAD_REQUEST) or _is_of_request(error))


def _is_of_request(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.InterfaceError):  # a value that the driver cannot bind
        return True
    return (getattr(cause, "sqlstate", None) or "")[:2] in _BAD_REQUEST_STATES


def _is_collision(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _COLLISIONS
