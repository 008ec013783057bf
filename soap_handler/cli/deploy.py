"""``deploy``: prints configurations for what stands around the service, which the room ``deploy`` makes."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from soap_handler.cli import configuration
from soap_handler.cli.option_groups import grouped
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it

commands = typer.Typer(
    name="deploy",
    help="Print a configuration for a TLS proxy, containers, a service manager or monitoring, made from the settings.",
)

_FOLDER: Final = Path("/etc/soap-handler")
_HttpsPort = Annotated[int, typer.Option(min=1, max=65535, help="Used unless server.public_url names a port.")]
_HttpPort = Annotated[int, typer.Option(min=1, max=65535, help="The port on which plain HTTP is refused.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where the proxy listens and what it hands on to, which the settings do not hold."""

    certificate: Annotated[Path, typer.Option(help="The certificate with its chain.")] = _FOLDER / "fullchain.pem"
    key: Annotated[Path, typer.Option(help="The certificate's private key.")] = _FOLDER / "privkey.pem"
    https_port: _HttpsPort = 443
    http_port: _HttpPort = 80
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Where the service is; by default on this machine, as the settings say."
        ),
    ] = None


@commands.command()
@grouped()
def nginx(*, config: Config = None, proxy: Proxy) -> None:
    """Print a file for nginx's conf.d: TLS 1.2 and later, the service's own limits, plain HTTP refused."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.nginx(configuration.load(config), deploy.TlsProxy(**asdict(proxy))))


@commands.command()
@grouped()
def caddy(*, config: Config = None, proxy: Proxy) -> None:
    """Print a Caddyfile: TLS 1.2 and later, the service's own limits, plain HTTP refused."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.caddy(configuration.load(config), deploy.TlsProxy(**asdict(proxy))))


@commands.command()
def systemd(*, config: Config = None) -> None:
    """Print a systemd unit that runs the service with nothing in its reach that it does not need."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    settings = configuration.load(config)
    found = configuration.find(config)
    sys.stdout.write(deploy.systemd(settings, *([found.resolve()] if found else [])))


@commands.command()
def docker(*, config: Config = None) -> None:
    """Print a Dockerfile: a slim image, another user than root, nothing to write to but the state, a health check."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    settings = configuration.load(config)
    found = configuration.find(config)
    sys.stdout.write(deploy.dockerfile(settings, found.resolve().parent if found else Path.cwd()))


@commands.command()
def compose(*, config: Config = None, https_port: _HttpsPort = 443, http_port: _HttpPort = 80) -> None:
    """Print a Compose file: the service, PostgreSQL for its journal, and nginx before it."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    ports = deploy.PublishedPorts(https_port, http_port)
    sys.stdout.write(deploy.compose(configuration.load(config), ports))


@commands.command()
def kubernetes(
    *,
    config: Config = None,
    image: Annotated[str, typer.Option(help="The image, which deploy docker describes.")] = "soap-handler",
) -> None:
    """Print manifests: Deployment with probes, Service, PodDisruptionBudget. Secrets are referred to, never printed."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.kubernetes(configuration.load(config), image))


@commands.command()
def iis(*, config: Config = None) -> None:
    """Print a web.config for IIS with HttpPlatformHandler. Elsewhere than on Windows, with paths to be adapted."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.iis(configuration.load(config), *_paths_on_windows(config)))


@commands.command("windows-service")
def windows_service(*, config: Config = None) -> None:
    """Print the XML of a Windows service by WinSW. Elsewhere than on Windows, with paths to be adapted."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.windows_service(configuration.load(config), *_paths_on_windows(config)))


def _paths_on_windows(config: Path | None) -> list[Path]:
    """Return the configuration and the program of this machine, as far as it is one with Windows."""
    found = configuration.find(config)
    if os.name != "nt" or found is None:
        return []
    return [found.resolve(), Path(sys.executable).with_name("soap-handler.exe")]


@commands.command()
def prometheus(*, config: Config = None) -> None:
    """Print alert rules for Prometheus, and how to have it scrape the console."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.prometheus(configuration.load(config)))


@commands.command()
def grafana() -> None:
    """Print a dashboard for Grafana, to be imported there."""
    from soap_handler import deploy  # noqa: PLC0415 - it loads the faces; other commands need not

    sys.stdout.write(deploy.grafana())
