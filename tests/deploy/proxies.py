"""A real proxy before a real service, with a certificate of a root that only this test trusts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
import trustme

from soap_handler.deploy import TlsProxy, caddy, nginx
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.settings import Settings

_NGINX: Final = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/soap-handler.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs."""

    https_port: int
    http_port: int
    root: Path
    """The certificate to trust."""


def need(command: str) -> None:
    """Skip the test where a program is missing."""
    if shutil.which(command, path=_path()) is None:
        pytest.skip(f"{command} is not installed on this machine")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def certified(folder: Path) -> tuple[TlsProxy, Path]:
    """Write a certificate for localhost and its key; return them with free ports, and the root to trust."""
    root = trustme.CA()
    leaf = root.issue_cert("localhost", "127.0.0.1")
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(folder / "cert.pem"), append=True)
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    root.cert_pem.write_to_path(str(folder / "root.pem"))
    ports = TlsProxy(folder / "cert.pem", folder / "key.pem", https_port=free_port(), http_port=free_port())
    return ports, folder / "root.pem"


def nginx_files(folder: Path, settings: Settings, ports: TlsProxy) -> list[str]:
    """Write nginx's files; return the command that runs it with them."""
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    (folder / "soap-handler.conf").write_text(nginx(settings, ports))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy_files(folder: Path, settings: Settings, ports: TlsProxy) -> list[str]:
    """Write Caddy's file; return the command that runs it with that."""
    options = "{\n\tadmin off\n"
    (folder / "Caddyfile").write_text(caddy(settings, ports).replace("{\n", options, 1))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


FILES: Final = {"nginx": nginx_files, "caddy": caddy_files}


@contextlib.contextmanager
def running(kind: str, folder: Path, settings: Settings) -> Iterator[Proxy]:
    """Run a proxy of this kind before the service of these settings; afterwards nothing of it is left."""
    need(kind)
    ports, root = certified(folder)
    command = FILES[kind](folder, settings, ports)
    environ = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder), PATH=_path())
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(lambda: process.poll() is not None or _listens(ports.https_port))
            assert process.poll() is None, (folder / "output").read_text() + _errors(folder)
            yield Proxy(ports.https_port, ports.http_port, root)
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _errors(folder: Path) -> str:
    log = folder / "error.log"
    return log.read_text() if log.exists() else ""


def _path() -> str:
    return os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"  # where Debian keeps nginx, outside of the usual path
