"""TLS proxy configurations for nginx and Caddy. ``web.client_address`` is the service's side of a proxy."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from soap_handler.deploy.limits import answer_seconds
from soap_handler.deploy.template import fill
from soap_handler.faces.base import PATH
from soap_handler.faces.soap.faults import client_fault, fault_envelope, server_fault
from soap_handler.faces.soap.versions import SOAP_1_2
from soap_handler.faces.xml_push import PATH as PUSH_PATH

if TYPE_CHECKING:
    from soap_handler.settings import ServerSettings, Settings

_DEFAULT_FOLDER: Final = Path("/etc/soap-handler")
_REFUSED: Final = "The request was refused before it reached the service"
_AWAY: Final = "The service is not available at the moment; please send it again"
_TEST: Final = "/test"  # below the endpoint's path, as web/pages/test_form.py has it
_LEAST_OF_A_CALLER: Final = 16  # connections that one address may have; beyond that a tenth of all
_BODY_PAUSE_SECONDS: Final = 10  # nginx's limit is on the silence between two pieces of a body, not on the whole of it


@dataclass(frozen=True, slots=True)
class TlsProxy:
    """Certificate and ports of the proxy, which the settings do not hold."""

    certificate: Path = _DEFAULT_FOLDER / "fullchain.pem"
    """Path of the certificate, with what it needs to chain to a well-known root (contract, section 4)."""
    key: Path = _DEFAULT_FOLDER / "privkey.pem"
    """Path of its private key."""
    https_port: int = 443
    http_port: int = 80
    """Port on which plain HTTP is refused, so that no password is ever answered there."""
    upstream: str | None = None
    """Host and port of the service; unset, those of the settings, on this machine."""


def nginx(settings: Settings, proxy: TlsProxy = TlsProxy()) -> str:
    """Return a file for nginx's ``conf.d``."""
    base = _base(settings.server)
    return fill(
        "nginx.conf",
        **_common(settings, proxy),
        name=public_address(settings.server)[0] or "_",
        rewrite=f"rewrite ^{re.escape(base)}(/.*)$ $1 break;" if base else "# the path stays as it is",
        keep=min(32, settings.server.connections),
    )


def caddy(settings: Settings, proxy: TlsProxy = TlsProxy()) -> str:
    """Return a Caddyfile."""
    base = _base(settings.server)
    return fill(
        "Caddyfile",
        **_common(settings, proxy),
        name=public_address(settings.server)[0],
        strip=f"uri strip_prefix {base}" if base else "# the path stays as it is",
    )


def _common(settings: Settings, proxy: TlsProxy) -> dict[str, object]:
    server = settings.server
    return {
        "certificate": proxy.certificate,
        "key": proxy.key,
        "https_port": public_address(server)[1] or proxy.https_port,
        "http_port": proxy.http_port,
        "path": _path(server),
        "root": f"^{re.escape(_base(server))}/*$",
        "push": f"^{re.escape(_base(server) + PUSH_PATH)}(/.*)?$",
        "upstream": proxy.upstream or _upstream(server),
        "body": server.max_body,
        "header": server.max_header_size,
        "connections": server.connections,
        "caller_connections": max(1, min(server.connections, max(_LEAST_OF_A_CALLER, server.connections // 10))),
        "body_pause": min(_BODY_PAUSE_SECONDS, _round_up(server.request_timeout)),
        "receive": _round_up(server.request_timeout),
        "idle": _round_up(server.idle_timeout),
        "upstream_idle": _round_up(server.idle_timeout / 2),  # so that the proxy closes first
        "answer": _round_up(answer_seconds(settings)),
        "refused": _one_line(fault_envelope(client_fault(_REFUSED))),
        "away": _one_line(fault_envelope(server_fault(_AWAY))),
        "refused_12": _one_line(fault_envelope(client_fault(_REFUSED), SOAP_1_2)),
        "away_12": _one_line(fault_envelope(server_fault(_AWAY), SOAP_1_2)),
        "push_refused": _REFUSED,
        "push_away": _AWAY,
        "advice": _advice(server, proxy),
    }


def _one_line(fault: bytes) -> str:
    return fault.decode().replace("\n", "")


def _advice(server: ServerSettings, proxy: TlsProxy) -> str:
    lines = []
    if server.public_url is None:
        lines.append('# Set server.public_url = "https://…", so that this file and the WSDL know the address.')
    if not server.trusted_proxies:
        address = "to the address of this proxy" if proxy.upstream else '= ["127.0.0.1"]'
        lines.append(f"# Set server.trusted_proxies {address}, or every caller will seem to be this proxy.")
    return "\n".join(lines) or "# The settings know this proxy: server.public_url and server.trusted_proxies are set."


def public_address(server: ServerSettings) -> tuple[str, int | None]:
    """Return the host and the port that callers use, as far as the settings say."""
    parts = urlsplit(server.public_url or "")
    return parts.hostname or "", parts.port


def _base(server: ServerSettings) -> str:
    return urlsplit(server.prefixed_url or server.path_prefix or "").path


def _path(server: ServerSettings) -> str:
    """Return a regular expression for the path of the endpoint, whose letter case does not count.

    The test form is sent to a path of its own, which is passed only where each caller is shown the form.
    """
    test = f"|{_TEST}" if server.test_form == "everywhere" else ""
    return f"^{re.escape(_base(server) + PATH)}((\\.as[mp]x)?/*{test})$"


def _upstream(server: ServerSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - it is compared
    return f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"


def _round_up(number: float) -> int:
    return max(1, math.ceil(number))
