"""The engine that is always there: hypothesis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.inputs import BODIES, TYPES

if TYPE_CHECKING:
    from tests.fuzz.target import Target

_BATCH: Final = 300


def with_hypothesis(target: Target, seconds: float, seed: int) -> int:
    """Run batches until the time is over; return how many inputs there were. The first broken promise is raised."""
    began, batches = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        _batch(target, seed + batches)
        batches += 1
    return target.stored + target.refused


def _batch(target: Target, seed: int) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=_BATCH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(BODIES, TYPES)
    def post(body: bytes, content_type: str) -> None:
        target.post(body, content_type)

    post()
