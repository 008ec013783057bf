"""The console answers at an address of its own, tells whether the service is ready, and ends with it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from soap_handler.settings import ConsoleSettings
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def console_port(service: Service) -> int:
    assert service.app.console is not None
    return service.app.console.port


def told(service: Service, path: str) -> tuple[int, Any]:
    status, body = get(console_port(service), path)
    return status, json.loads(body)


def test_a_serving_service_is_live_and_ready(tmp_path: Path) -> None:
    """Each route answers; ready turns to 200 once the service listens."""
    settings = settings_for(tmp_path).model_copy(update={"console": ConsoleSettings(port=0)})
    with serving(settings) as service:
        assert told(service, "/health/live") == (200, {"status": "live"})
        wait_for(lambda: told(service, "/health/ready")[0] == 200)
        assert told(service, "/health/ready") == (200, {"status": "ready", "reasons": []})
        assert "soap_handler_build_info" in get(console_port(service), "/metrics")[1]
        assert get(console_port(service), "/")[0] == 200
