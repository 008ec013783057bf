"""The console answers at an address of its own, tells whether the service is ready, and ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soap_handler.settings import ConsoleSettings
from tests.console.asking import get, get_json, ready
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings


def with_console(folder: Path) -> Settings:
    return settings_for(folder).model_copy(update={"console": ConsoleSettings(port=0)})


def console_port(service: Service) -> int:
    assert service.app.console is not None
    return service.app.console.port


def test_a_serving_service_is_live_and_ready(tmp_path: Path) -> None:
    """Each route answers; ready turns to 200 once the service listens."""
    with serving(with_console(tmp_path)) as service:
        port = console_port(service)
        assert get_json(port, "/health/live") == (200, {"status": "live"})
        wait_for(lambda: ready(port)[0] == 200)
        assert ready(port) == (200, {"status": "ready", "reasons": []})
        assert "soap_handler_build_info" in get(port, "/metrics")[2]
        assert get(port, "/")[0] == 200
