"""What stands before the service on real sockets: a TLS proxy of Python or nginx; and stand-ins for it."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

from soap_handler.deploy import TlsProxy
from tests.deploy.proxies import free_port, need, nginx_files
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from soap_handler.settings import Settings
    from tests.diagnosis.certificates import Files


class Front(NamedTuple):
    """The ports of a proxy that runs."""

    https: int
    http: int


Answer = tuple[int, str, bytes]
"""Status, content type and body."""


@contextlib.contextmanager
def answering(
    answer: Callable[[str, str, bytes], Answer], files: Files | None = None, newest: ssl.TLSVersion | None = None
) -> Iterator[int]:
    """Run a server, with TLS or without, that answers method, path and body by a function; give its port."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, content_type, content = answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *_: object) -> None:
            """Clients that end a handshake are what these tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if files is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.chain, files.key)
        if newest is not None:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.maximum_version = newest
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def python_before(_folder: Path, settings: Settings, files: Files) -> Iterator[Front]:
    """Run a TLS proxy of Python before the service at the settings' port."""
    port: list[int] = []

    def forward(method: str, path: str, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", settings.server.port, timeout=10)
        headers = {
            "Host": f"localhost:{port[0]}",
            "X-Forwarded-Proto": "https",
            "Content-Type": "text/xml; charset=utf-8",
        }
        with contextlib.closing(connection):
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", ""), response.read()

    with answering(forward, files) as found:
        port.append(found)
        yield Front(found, free_port())


@contextlib.contextmanager
def nginx_before(folder: Path, settings: Settings, files: Files) -> Iterator[Front]:
    """Run nginx, configured as ``soap-handler deploy nginx`` does, before the service at the settings' port."""
    need("nginx")
    ports = TlsProxy(files.chain, files.key, https_port=free_port(), http_port=free_port())
    command = nginx_files(folder, settings, ports)
    environ = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: process.poll() is not None or _listens(ports.https_port))
            assert process.poll() is None
            yield Front(ports.https_port, ports.http_port)
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.connect()
        return True
    return False
