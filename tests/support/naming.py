"""A failure in a loop names its case. A loop costs less than a test for each of a thousand cases."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def naming(case: object) -> Iterator[None]:
    """Put the name of a case before what failed over it.

    Raises:
        AssertionError: an assertion failed, or anything else broke.
    """
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
