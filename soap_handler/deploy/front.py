"""The TLS proxy before the service: nginx or Caddy. Callers themselves are ``web.client_address``'s."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from soap_handler.deploy.template import fill
from soap_handler.faces.base import PATH
from soap_handler.faces.soap.faults import client_fault, fault_envelope, server_fault

if TYPE_CHECKING:
    from soap_handler.settings import ServerSettings, Settings

_FOLDER: Final = Path("/etc/soap-handler")
_REFUSED: Final = "The request was refused before it reached the service"
_AWAY: Final = "The service is not available at the moment; please send it again"
_SPARE: Final = 10.0  # seconds that the service has beyond its own limits before the proxy gives it up


@dataclass(frozen=True, slots=True)
class Front:
    """What the settings do not say about the proxy."""

    certificate: Path = _FOLDER / "fullchain.pem"
    """Path of the certificate, with what it needs to chain to a well-known root (contract, section 4)."""
    key: Path = _FOLDER / "privkey.pem"
    """Path of its private key."""
    https_port: int = 443
    http_port: int = 80
    """Port on which plain HTTP is refused, so that no password is ever answered there."""


def nginx(settings: Settings, front: Front = Front()) -> str:
    """Return a file for nginx's ``conf.d``."""
    server = settings.server
    base = _base(server)
    return fill(
        "nginx.conf",
        **_common(settings, front),
        name=_address(server)[0] or "_",
        path=_path(server),
        rewrite=f"rewrite ^{re.escape(base)}(/.*)$ $1 break;" if base else "# the path stays as it is",
        header=_whole(server.max_header_size),
        idle=_whole(server.idle_timeout),
        upstream_idle=_whole(server.idle_timeout / 2),  # so that nginx is the one who closes
        keep=min(32, server.connections),
        refused=fault_envelope(client_fault(_REFUSED)).decode().replace("\n", ""),
        away=fault_envelope(server_fault(_AWAY)).decode().replace("\n", ""),
    )


def caddy(settings: Settings, front: Front = Front()) -> str:
    """Return a Caddyfile."""
    server = settings.server
    host = _address(server)[0]
    base = _base(server)
    return fill(
        "Caddyfile",
        **_common(settings, front),
        name=host,
        path=_path(server),
        strip=f"uri strip_prefix {base}" if base else "# the path stays as it is",
        header=_whole(server.max_header_size),
        idle=_whole(server.idle_timeout),
        upstream_idle=_whole(server.idle_timeout / 2),
        refused=fault_envelope(client_fault(_REFUSED)).decode().replace("\n", ""),
        away=fault_envelope(server_fault(_AWAY)).decode().replace("\n", ""),
    )


def _common(settings: Settings, front: Front) -> dict[str, object]:
    server = settings.server
    return {
        "certificate": front.certificate,
        "key": front.key,
        "https_port": _address(server)[1] or front.https_port,
        "http_port": front.http_port,
        "upstream": _upstream(server),
        "body": server.max_body,
        "connections": server.connections,
        "receive": _whole(server.request_timeout),
        "answer": _whole(settings.journal.timeout + server.wrong_login_delay + _SPARE),
        "advice": _advice(server),
    }


def _advice(server: ServerSettings) -> str:
    lines = []
    if server.public_url is None:
        lines.append('# Set server.public_url = "https://…", so that this file and the WSDL know the address.')
    if not server.trusted_proxies:
        lines.append('# Set server.trusted_proxies = ["127.0.0.1"], or every caller will seem to be this proxy.')
    return "\n".join(lines) or "# The settings know this proxy: server.public_url and server.trusted_proxies are set."


def _address(server: ServerSettings) -> tuple[str, int | None]:
    """Return the host and the port that callers use, as far as the settings say."""
    parts = urlsplit(server.public_url or "")
    return parts.hostname or "", parts.port


def _base(server: ServerSettings) -> str:
    return urlsplit(server.public_url or "").path


def _path(server: ServerSettings) -> str:
    """Return a regular expression for the path of the endpoint, whose letter case does not count."""
    return f"^{re.escape(_base(server) + PATH)}(\\.asmx)?$"


def _upstream(server: ServerSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - it is compared
    return f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"


def _whole(number: float) -> int:
    return max(1, math.ceil(number))
