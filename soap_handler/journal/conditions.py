"""Conditions that a person looks for notifications by: a phone number in whatever form, the text of an error.

Neither has an index: every push would pay for it, and one pass over a million rows takes a part of a second.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import String, and_, exists, func, literal, or_, select

from soap_handler.journal.schema import attempt, notification

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, ScalarSelect

FEWEST_DIGITS: Final = 7
"""Of a phone number. A number of fewer is a short code: it is compared as a whole."""
_SEPARATORS: Final = re.compile(r"[\s\-./()\u00a0\u2010-\u2015]+")
_table = notification.c


def is_number(text: str) -> bool:
    """Whether a text is written as a phone number or a short code."""
    return re.fullmatch(r"\+?\d+", _bare(text), re.ASCII) is not None


def _bare(text: str) -> str:
    """Return a number without what separates its digits, and without the "(0)" of +44 (0)7700."""
    return _SEPARATORS.sub("", text.replace("(0)", ""))


def has_number(text: str) -> ColumnElement[bool]:
    """Return the condition that the originator is a number, in whatever form either is written.

    An international form (+44…, 0044…) is compared whole. Any other is compared from its end, without a leading 0,
    since nothing says whose country is meant: 07700 900123 finds 447700900123, and 4477… finds a stored 077….
    """
    given = _bare(text)
    digits = given.lstrip("+")
    international = given.startswith(("+", "00"))
    wanted = digits.removeprefix("00") if international else digits.removeprefix("0")
    stored = _stored_digits()
    if len(digits) < FEWEST_DIGITS:
        return stored == digits
    # Two digits in plain sight come first: to take the signs out of every row would take as long as all the rest.
    ends_alike = _table.originator.endswith(wanted[-2:], autoescape=True)
    without_00 = func.substr(stored, 3)
    whole = or_(stored == wanted, and_(stored.startswith("00"), without_00 == wanted))
    from_the_end = stored.endswith(wanted, autoescape=True)
    length = func.length(stored)
    # No LIKE: what is stored came from the wire, and its % would be like any number.
    national = and_(
        stored.startswith("0"),
        ~stored.startswith("00"),
        length.between(FEWEST_DIGITS + 1, len(wanted) + 1),
        func.substr(literal(wanted), len(wanted) + 2 - length) == func.substr(stored, 2),
    )
    return and_(ends_alike, or_(whole if international else from_the_end, national))


def _stored_digits() -> ColumnElement[str]:
    """Return the originator without the signs that people put into numbers."""
    found: ColumnElement[str] = _table.originator
    for sign in ("(0)", "+", " ", "-", ".", "/", "(", ")"):
        found = func.replace(found, sign, "", type_=String)
    return found


def last_error_id(seq: ColumnElement[int]) -> ScalarSelect[int]:
    """Return the number of the last attempt at a notification that has an error."""
    failed = attempt.alias("failed")
    return select(func.max(failed.c.id)).where(failed.c.seq == seq, failed.c.error.is_not(None)).scalar_subquery()


def has_error(text: str) -> ColumnElement[bool]:
    """Return the condition that the last error of a notification contains a text, in whatever letter case."""
    later = attempt.alias("later")
    failed_later = exists().where(later.c.seq == attempt.c.seq, later.c.id > attempt.c.id, later.c.error.is_not(None))
    said = attempt.c.error.icontains(text, autoescape=True)
    return _table.seq.in_(select(attempt.c.seq).where(said, ~failed_later).scalar_subquery())
