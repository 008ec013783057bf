"""The benchmark of sinks: it measures what it says, with a few notifications and the peer that each machine has."""

from __future__ import annotations

from tests.bench import sinks


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
