"""What the sinks of a campaign deliver to: each peer keeps what it was given, and can be away for a while."""

from __future__ import annotations

import json
import socket
import threading
from abc import ABC, abstractmethod
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, make_url, text

from soap_handler.settings.sinks import SqlSettings
from soap_handler.sinks.sql import Sql
from tests.campaigns.postgresql import PostgreSQL
from tests.campaigns.service import free_port

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT: Final = 2.0
"""Seconds for one delivery: with it, what a kill hit is due again after some seconds."""


class Peer(ABC):
    """A destination of the service's. It is there from :meth:`start` to :meth:`stop`, as often as that is."""

    idempotent = False
    """Whether a repeated delivery leaves no trace: then nothing may be there twice."""

    port = 0
    """Where it listens, if it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "peer"
        self.folder.mkdir()
        self.through = 0
        """The port of a proxy by which it is reached."""

    @property
    def reached_at(self) -> int:
        """The port at which the service reaches it."""
        return self.through or self.port

    @property
    @abstractmethod
    def settings(self) -> dict[str, object]:
        """The settings of the sink."""

    @abstractmethod
    def start(self) -> None:
        """Be there."""

    @abstractmethod
    def stop(self) -> None:
        """Be away: deliveries fail, and those under way are cut off."""

    @abstractmethod
    def taken(self) -> Counter[str]:
        """Return how often each key has arrived."""

    def close(self) -> None:
        """Be gone for good."""
        self.stop()


class Hook(Peer):
    """A web hook."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._keys: list[str] = []
        self._sockets: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None

    @property
    def settings(self) -> dict[str, object]:
        return {"type": "webhook", "url": f"http://127.0.0.1:{self.reached_at}/sms"}

    def start(self) -> None:
        if self._server is not None:
            return
        keys, sockets = self._keys, self._sockets

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                sockets.add(self.request)
                super().setup()

            def do_POST(self) -> None:
                keys.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["key"])
                self.send_response(204)
                self.end_headers()

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):  # cut off, perhaps in the midst of the body
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def stop(self) -> None:
        if self._server is None:
            return
        self._server.shutdown()
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended
        self._server.server_close()
        self._server = None
        self._sockets.clear()

    def taken(self) -> Counter[str]:
        return Counter(self._keys)


class Directory(Peer):
    """A directory, on a file system that goes and comes."""

    idempotent = True

    @property
    def settings(self) -> dict[str, object]:
        return {"type": "files", "directory": str(self.folder)}

    @property
    def _away(self) -> Path:
        return self.folder.with_name("away")

    def start(self) -> None:
        if self._away.exists():
            self._away.rename(self.folder)

    def stop(self) -> None:
        if self.folder.exists():
            self.folder.rename(self._away)

    def taken(self) -> Counter[str]:
        folder = self.folder if self.folder.exists() else self._away
        return Counter(json.loads(file.read_text())["key"] for file in folder.iterdir() if file.name[0] != ".")


class Program(Peer):
    """A program, which is replaced now and then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._program = self.folder / "take"
        self._lines = self.folder / "taken"
        self._lines.touch()

    @property
    def settings(self) -> dict[str, object]:
        return {"type": "command", "command": [str(self._program)]}

    def start(self) -> None:
        written = self.folder / "new"
        written.write_text(f"#!/bin/sh\necho \"$SMS_KEY\" >> '{self._lines}'\n")
        written.chmod(0o755)
        written.rename(self._program)

    def stop(self) -> None:
        self._program.unlink(missing_ok=True)

    def taken(self) -> Counter[str]:
        return Counter(self._lines.read_text().splitlines())


class SqlTable(Peer):
    """A table of a PostgreSQL server."""

    idempotent = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = PostgreSQL(self.folder)
        self.port = make_url(self._server.url("journal")).port or 0
        self._made = False
        self._running = False

    @property
    def settings(self) -> dict[str, object]:
        return {"type": "sql", "url": self._server.url("journal").replace(f":{self.port}/", f":{self.reached_at}/")}

    def start(self) -> None:
        if not self._made:
            self._server.__enter__()
            self._made = True
            sink = Sql(SqlSettings.model_validate(self.settings))
            sink.create_table()
            sink.close()
        elif not self._running:
            self._server.start()
        self._running = True

    def stop(self) -> None:
        if self._running:
            self._server.stop()
        self._running = False

    def taken(self) -> Counter[str]:
        self.start()  # it may be away
        engine = create_engine(self._server.url("journal"))
        try:
            with engine.connect() as connection:
                return Counter(connection.scalars(text("SELECT key FROM sms_notification")))
        finally:
            engine.dispose()
