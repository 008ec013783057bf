"""A RabbitMQ of the tests' own: a node on free ports, with all its files in one folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import pika
import pika.exceptions
import trustme

_UP_SECONDS: Final = 110.0
_GONE_SECONDS: Final = 5.0
PROGRAM: Final = Path("/usr/lib/rabbitmq/bin")


def is_installed() -> bool:
    """Whether RabbitMQ and Erlang are there."""
    return (PROGRAM / "rabbitmq-server").exists() and shutil.which("erl") is not None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _with_tls(folder: Path, port: int) -> str:
    """Write certificates into a folder; return the configuration of a listener that asks its clients for theirs."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, certificate in (
        ("server", authority.issue_cert("127.0.0.1")),
        ("client", authority.issue_cert("soap-handler")),
        ("stranger", trustme.CA().issue_cert("soap-handler")),
    ):
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return (
        f"listeners.ssl.default = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {folder}/ca.pem\n"
        f"ssl_options.certfile = {folder}/server.pem\n"
        f"ssl_options.keyfile = {folder}/server.key\n"
        "ssl_options.verify = verify_peer\n"
        "ssl_options.fail_if_no_peer_cert = true\n"
    )


class RabbitMq:
    """A broker. Its user is guest, its password guest. With TLS it asks for a certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Has ``ca.pem``, and the certificates and keys ``client`` and ``stranger``."""
        self.port, self.tls_port = _free_port(), _free_port()
        self._node = f"t{secrets.token_hex(4)}@localhost"
        self._log = folder / "output"
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n{_with_tls(folder, self.tls_port)}")
        (folder / "enabled_plugins").write_text("[].\n")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "ERL_EPMD_PORT": str(_free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address with login."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def start(self) -> None:
        """Start the node and wait until it takes connections.

        Its port for other nodes is chosen anew: since the node was killed, another process may have taken the last one.
        """
        environment = {**self._environment, "RABBITMQ_DIST_PORT": str(_free_port())}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM / "rabbitmq-server"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _UP_SECONDS
        while True:
            try:
                pika.BlockingConnection(pika.URLParameters(self.url)).close()
            except (pika.exceptions.AMQPError, OSError):
                assert time.monotonic() < deadline, self._log.read_text(errors="replace")[-2000:]
                assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """Kill the node with everything that it started; what it confirmed is on its disk."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the node and its port mapper, which has a process group of its own."""
        self.kill()
        deadline = time.monotonic() + _GONE_SECONDS
        while b"Killed" not in self._kill_port_mapper() and time.monotonic() < deadline:
            time.sleep(0.05)  # it refuses as long as it has not noticed that the node is gone

    def _kill_port_mapper(self) -> bytes:
        ended = subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False)
        return ended.stdout + ended.stderr
