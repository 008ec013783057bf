"""The console of a service on PostgreSQL: its pushes are counted both ways, and a database that is gone is told."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.console import health
from tests.console.asking import console_of, get, ready, with_console
from tests.support import fast_path
from tests.support.service import serving
from tests.support.waiting import wait_for
from tests.support.wire import REFERENCE, message

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.postgresql.server import StoppableServer


@pytest.mark.parametrize("way", fast_path.BOTH)
def test_it_counts_and_tells(
    stoppable: StoppableServer, tmp_path: Path, way: fast_path.FastPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready while the database commits; not ready, with the reason, while it is down; ready again by itself."""
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.1)
    settings = with_console(tmp_path)
    server = settings.server.model_copy(update={"fast_path": way})
    journal = settings.journal.model_copy(update={"url": SecretStr(stoppable.database()), "timeout": 2.0})
    with serving(settings.model_copy(update={"server": server, "journal": journal})) as service:
        port = console_of(service)
        wait_for(lambda: ready(port)[0] == 200)
        for _ in range(5):
            assert service.post(message(id=str(uuid.uuid4()))).confirms
        wait_for(lambda: "soap_handler_commit_pushes_sum 5.0" in get(port, "/metrics")[2])
        assert f'soap_handler_backlog{{account="{REFERENCE}",step="dead"}} 0.0' in get(port, "/metrics")[2]
        stoppable.stop()
        try:
            wait_for(lambda: ready(port)[0] == 503)
            assert "journal" in ready(port)[1]["reasons"][0]
            text = get(port, "/metrics")[2]
            assert "soap_handler_ready 0.0" in text
            assert "soap_handler_commit_pushes_sum 5.0" in text
        finally:
            stoppable.start()
        wait_for(lambda: ready(port)[0] == 200)
