"""The type of the journal's times: an instant, as a number that both engines store and compare alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as whole microseconds since 1970: one number in both engines, cheap to compare."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Turn a datetime into its number."""
        return to_number(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Turn the number back into a datetime."""
        return from_number(value)


def to_number(value: datetime | None) -> int | None:
    """Return the number under which an :class:`Instant` is stored."""
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def from_number(number: int | None) -> datetime | None:
    """Return the instant that is stored under a number."""
    return None if number is None else _EPOCH + timedelta(microseconds=number)
