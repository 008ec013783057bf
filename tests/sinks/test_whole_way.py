"""From a push over a socket to the peer of each sink, and out of the inbox: the peer is away for the first half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pika")

from tests.sinks.peers import PEERS
from tests.sinks.whole_way import go

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", PEERS)
def test_the_whole_way(tmp_path: Path, kind: str) -> None:
    """Nothing is lost or dead while the peer is away, nothing leaves the inbox unconfirmed; then each arrives as it is.

    Once, in the order of its originator, value by value. The one that the peer refuses is dead, and stays in the inbox.
    """
    go(tmp_path, PEERS[kind])
