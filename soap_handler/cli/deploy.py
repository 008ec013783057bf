"""``deploy``: prints configurations for nginx, Caddy and systemd, which the room ``deploy`` makes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from soap_handler.cli import configuration
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it

commands = typer.Typer(name="deploy", help="Print a configuration for a TLS proxy or systemd, made from the settings.")

_Certificate = Annotated[Path, typer.Option(help="The certificate with its chain.")]
_Key = Annotated[Path, typer.Option(help="The certificate's private key.")]
_HttpsPort = Annotated[int, typer.Option(min=1, max=65535, help="Used unless server.public_url names a port.")]
_HttpPort = Annotated[int, typer.Option(min=1, max=65535, help="The port on which plain HTTP is refused.")]

_CERTIFICATE = Path("/etc/soap-handler/fullchain.pem")
_KEY = Path("/etc/soap-handler/privkey.pem")


@commands.command()
def nginx(
    *,
    config: Config = None,
    certificate: _Certificate = _CERTIFICATE,
    key: _Key = _KEY,
    https_port: _HttpsPort = 443,
    http_port: _HttpPort = 80,
) -> None:
    """Print a file for nginx's conf.d: TLS 1.2 and later, the service's own limits, plain HTTP refused."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    proxy = deploy.TlsProxy(certificate, key, https_port, http_port)
    sys.stdout.write(deploy.nginx(configuration.load(config), proxy))


@commands.command()
def caddy(
    *,
    config: Config = None,
    certificate: _Certificate = _CERTIFICATE,
    key: _Key = _KEY,
    https_port: _HttpsPort = 443,
    http_port: _HttpPort = 80,
) -> None:
    """Print a Caddyfile: TLS 1.2 and later, the service's own limits, plain HTTP refused."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    proxy = deploy.TlsProxy(certificate, key, https_port, http_port)
    sys.stdout.write(deploy.caddy(configuration.load(config), proxy))


@commands.command()
def systemd(*, config: Config = None) -> None:
    """Print a systemd unit that runs the service with nothing in its reach that it does not need."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    settings = configuration.load(config)
    found = configuration.find(config)
    sys.stdout.write(deploy.systemd(settings, *([found.resolve()] if found else [])))
