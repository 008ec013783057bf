"""The benchmark of sinks: it measures what it says, with a few notifications and the peer that each machine has."""

from __future__ import annotations

import shutil

import pytest

from tests.bench import sinks

pytestmark = pytest.mark.campaign


def test_a_sink_is_measured_beside_its_bare_loop() -> None:
    """Every notification arrives, and a verdict says whether the sink keeps up."""
    rows = sinks.campaign(["files"], 1, 20, lambda _: None)
    assert [(row["sink"], row["order"], row["missing"]) for row in rows] == [
        ("files", "originator", 0),
        ("files", "none", 0),
    ]
    for row in rows:
        assert row["bare"] > 0
        assert row["rate"] > 0
        assert [each["figure"] for each in row["targets"]] == ["ratio"]


@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("node")), reason="needs wrk and node")
def test_a_burst_is_measured_with_a_web_hook_and_without() -> None:
    """Both receive, and a verdict says whether the web hook slows receiving down."""
    (row,) = sinks.burst(1, 1, 2)
    assert min(row["handlers"], row["webhook"]) > 0
    assert row["ratio"] == row["webhook"] / row["handlers"]
    assert [(each["figure"], each["bound"]) for each in row["targets"]] == [("ratio", 0.9)]
