"""Asking a console over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from soap_handler.settings import ConsoleSettings
from tests.support.service import settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings
    from tests.support.service import Service


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Return the status, the content type and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def log_in_as(port: int, name: str, password: str) -> str:
    """Log in over HTTP; return the cookie of the session."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        cookie, token = token_of(connection)
        form = urlencode({"csrf": token, "name": name, "password": password})
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", form, headers)
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        return answer.headers["Set-Cookie"].partition(";")[0]
    finally:
        connection.close()


def token_of(connection: http.client.HTTPConnection) -> tuple[str, str]:
    """Return the cookie and the CSRF token of the form to log in with."""
    connection.request("GET", "/login", headers={"Accept": "text/html"})
    answer = connection.getresponse()
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return cookie, answer.read().decode().partition('name="csrf" value="')[2].partition('"')[0]


def get_json(port: int, path: str) -> tuple[int, Any]:
    """Return the status and the value of an answer."""
    status, _, body = get(port, path)
    return status, json.loads(body)


def ready(port: int) -> tuple[int, Any]:
    """Return the answer to whether the service is ready."""
    return get_json(port, "/health/ready")


def with_console(folder: Path) -> Settings:
    """Return the settings of a service with a console on a free port."""
    return settings_for(folder).model_copy(update={"console": ConsoleSettings(port=0)})


def console_of(service: Service) -> int:
    """Return the port of a service's console."""
    assert service.app.console is not None
    return service.app.console.port
