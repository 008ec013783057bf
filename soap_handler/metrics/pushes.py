"""Pushes as metrics: how each was answered, and how long that took. It is called when the answer is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from soap_handler.metrics.catalogue import ANSWER_SECONDS, NONE, PUSHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soap_handler.notifications import Kind

Result: TypeAlias = Literal[
    "stored",
    "duplicate",
    "refused_login",
    "refused_unreadable",
    "refused_http",
    "refused_caller",
    "refused_path",
    "postponed_journal",
    "postponed_login",
    "postponed_defect",
]
"""How a push was answered."""

_NOT_STORED: Final[Result] = "postponed_journal"


class Answered(Protocol):
    """A push that went to the journal."""

    @property
    def api(self) -> str:
        """The version of the API."""

    @property
    def kind(self) -> Kind:
        """What was pushed."""

    @property
    def arrived(self) -> float:
        """When its last byte came, on the monotonic clock."""


def count_refused(api: str, result: Result) -> None:
    """Count a request without anything to commit."""
    PUSHES.add(1, api, NONE, result)


def count_one(api: str, kind: Kind, is_new: bool | None, arrived: float) -> None:  # noqa: FBT001 - a label
    """Count a push that was committed, or not where ``is_new`` is ``None``."""
    PUSHES.add(1, api, kind.value, _result(is_new))
    ANSWER_SECONDS.observe(time.monotonic() - arrived, api)


def count_batch(pushes: Sequence[Answered], are_new: Sequence[bool] | None) -> None:
    """Count pushes that shared a commit, as :func:`count_one` does; equal ones together."""
    if len(pushes) == 1:
        count_one(pushes[0].api, pushes[0].kind, are_new[0] if are_new else None, pushes[0].arrived)
        return
    now = time.monotonic()
    numbers: dict[tuple[str, str, bool | None], int] = {}
    seconds: dict[str, list[float]] = {}
    results: Sequence[bool | None] = are_new or [None] * len(pushes)
    for push, is_new in zip(pushes, results, strict=True):
        api = push.api
        same = api, push.kind.value, is_new  # not the kind itself: to hash an enumeration is slow
        numbers[same] = numbers.get(same, 0) + 1
        seconds.setdefault(api, []).append(now - push.arrived)
    for (api, kind, is_new), number in numbers.items():
        PUSHES.add(number, api, kind, _result(is_new))
    for api, values in seconds.items():
        ANSWER_SECONDS.observe_all(values, api)


def _result(is_new: bool | None) -> Result:  # noqa: FBT001 - a label
    if is_new is None:
        return _NOT_STORED
    return "stored" if is_new else "duplicate"
