"""Commits as metrics: how long a transaction took, and how many pushes shared it. Called once for each transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from soap_handler.journal import insert
from soap_handler.metrics.catalogue import COMMIT_PUSHES, COMMIT_SECONDS
from soap_handler.metrics.instruments import is_counting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soap_handler.journal.execute import Verb


class Committed(Protocol):
    """A request that was committed."""

    @property
    def verb(self) -> Verb:
        """What was done."""

    @property
    def argument(self) -> Any:  # noqa: ANN401 - of the verb's type
        """What it was done with."""


def count_commit(requests: Iterable[Committed], seconds: float) -> None:
    """Count one transaction."""
    if not is_counting():
        return
    pushes = 0
    for request in requests:
        if request.verb is insert.record_all:
            pushes += len(request.argument)
        elif request.verb is insert.record:
            pushes += 1
    COMMIT_SECONDS.observe(seconds)
    if pushes:
        COMMIT_PUSHES.observe(pushes)
