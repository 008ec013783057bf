"""Figures for people."""

from __future__ import annotations

import pytest

from soap_handler import figures


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 bytes"), (1000, "1 KB"), (1_234_000, "1.2 MB"), (761_585_664, "762 MB")]
)  # fmt: skip
def test_bytes_have_a_unit(count: int, text: str) -> None:
    """Three digits at most."""
    assert figures.size(count) == text


@pytest.mark.parametrize(("per_minute", "text"), [(0, "0"), (0.25, "0.2"), (9.96, "10.0"), (1234.4, "1,234")])
def test_a_rate_is_whole_where_it_is_large(per_minute: float, text: str) -> None:
    """One decimal tells few from none."""
    assert figures.rate(per_minute) == text
