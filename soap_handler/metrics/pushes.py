"""Pushes as metrics: how each was answered, and how long that took. It is called when the answer is made."""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from soap_handler.metrics.catalogue import ANSWER_SECONDS, NONE, PUSHES
from soap_handler.metrics.instruments import is_counting

if TYPE_CHECKING:
    from collections.abc import Iterable


class Result(StrEnum):
    """How a push was answered."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    LOGIN = "refused_login"
    UNREADABLE = "refused_unreadable"
    HTTP = "refused_http"
    CALLER = "refused_caller"
    PATH = "refused_path"
    JOURNAL = "postponed_journal"
    UNCHECKED = "postponed_login"
    DEFECT = "postponed_defect"

    @staticmethod
    def of(*, is_new: bool) -> Result:
        """Return the result of a push that was committed."""
        return Result.STORED if is_new else Result.DUPLICATE


def count_refused(api: str, result: Result) -> None:
    """Count a request without anything to commit."""
    PUSHES.add(1, api, NONE, result)


def count_one(api: str, kind: str, result: Result, arrived: float) -> None:
    """Count a push that went to the journal, and that arrived at this instant of the monotonic clock."""
    PUSHES.add(1, api, kind, result)
    ANSWER_SECONDS.observe(time.monotonic() - arrived, api)


def count_batch(pushes: Iterable[tuple[str, str, Result, float]]) -> None:
    """Count pushes that were committed together, as :func:`count_one`, at once."""
    if not is_counting():
        return
    now = time.monotonic()
    results: Counter[tuple[str, ...]] = Counter()
    seconds: dict[str, list[float]] = {}
    for api, kind, result, arrived in pushes:
        results[api, kind, result] += 1
        seconds.setdefault(api, []).append(now - arrived)
    PUSHES.add_all(results)
    for api, values in seconds.items():
        ANSWER_SECONDS.observe_all(values, api)
