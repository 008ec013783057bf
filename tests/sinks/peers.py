"""Peers of sinks: each is absent at first, refuses one message, and tells what it took."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest
from lxml import etree
from sqlalchemy import create_engine, text

from soap_handler.notifications import MessageReceived, MessageType
from soap_handler.settings.sinks import SqlSettings
from soap_handler.sinks import stdout
from soap_handler.sinks.sql import Sql
from tests.campaigns.service import free_port
from tests.sinks.deliveries import AWKWARD
from tests.sinks.test_webhook import endpoint
from tests.support.postgresql import NoPostgreSQLError, PostgreSQL
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sinks.test_webhook import Endpoint

REFUSED: Final = "refuse me"
TEXTS: Final = [AWKWARD[name] for name in ("emoji", "cdata", "long", "empty")]
"""What XML can say; a NUL is pushed besides, as .NET writes it."""
WHEN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)


def messages(first: int, texts: list[str]) -> list[MessageReceived]:
    """Return a message for each text, of two originators in turn, one in three with a type that nobody knows."""
    return [
        MessageReceived(
            account="EX1",
            id=str(uuid.UUID(int=(4 << 76) | (8 << 60) | number)),
            originator=f"44770090012{number % 2}",
            recipient="447786204254",
            body=body,
            type=MessageType("Hologram" if number % 3 == 0 else "Text"),
            sent_at=WHEN,
            received_at=WHEN,
        )
        for number, body in enumerate(texts, first)
    ]


REFUSED_MESSAGE: Final = messages(11, [*TEXTS, REFUSED])[-1]
"""The one that each peer refuses."""
NUL_ID: Final = "8d1b2a3c-4c7f-4a55-9d1e-0d8a2f3b4c5d"


Taken = list[tuple[str, str, str, str, str]]
"""Key, id, originator, body and type of each message, in the order of arrival."""
_RESPONSE: Final = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<MessageReceivedResponse xmlns="com.esendex.ems.soapinterface"/></s:Body></s:Envelope>'
)
_FAULT: Final = _RESPONSE.replace(
    b'<MessageReceivedResponse xmlns="com.esendex.ems.soapinterface"/>',
    b"<s:Fault><faultcode>s:Client</faultcode><faultstring>not this one</faultstring></s:Fault>",
)


class Peer:
    """A destination that is absent until :meth:`start`."""

    nul = "\0"
    """What it is given for a NUL: itself, where the text is JSON."""
    gets_keys = True
    refuses = True
    """Whether it refuses the one that it is to refuse, or cannot refuse any."""

    def __init__(self, folder: Path, everything: ExitStack) -> None:
        self.folder = folder / "peer"
        self.everything = everything
        self.prepare()

    def prepare(self) -> None:
        """Get ready, unreachable."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the sink."""
        raise NotImplementedError

    def start(self) -> None:
        """Be there."""
        raise NotImplementedError

    def taken(self) -> Taken:
        """Return what has arrived."""
        raise NotImplementedError


def _of(values: dict[str, Any]) -> tuple[str, str, str, str, str]:
    return values["key"], values["id"], values["originator"], values["body"], values["type"]


class Hook(Peer):
    """A web hook."""

    found: Endpoint

    def prepare(self) -> None:
        self.port = free_port()

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "webhook", "url": f"http://127.0.0.1:{self.port}/sms"}

    def start(self) -> None:
        self.found = self.everything.enter_context(endpoint(port=self.port))
        self.found.answer = lambda body: (422 if REFUSED.encode() in body else 204, {})

    def taken(self) -> Taken:
        bodies = self.found.bodies if hasattr(self, "found") else []
        return [_of(body) for body in bodies if body["body"] != REFUSED]


class HookOfBatches(Hook):
    """A web hook that takes arrays. It refuses one whole, with all that is in it, which then comes singly."""

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "batch": 5, "concurrency": 1}

    def taken(self) -> Taken:
        arrays = self.found.bodies if hasattr(self, "found") else []
        return [_of(each) for array in arrays if REFUSED not in [one["body"] for one in array] for each in array]


class OldHandler(Hook):
    """An Account Event Handler. Its operations have no key."""

    gets_keys = False
    nul = "\N{REPLACEMENT CHARACTER}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "soap", "url": f"http://127.0.0.1:{self.port}/x.asmx", "username": "u", "password": "p"}

    def start(self) -> None:
        super().start()
        self.found.reply = lambda body: (500, _FAULT) if REFUSED.encode() in body else (200, _RESPONSE)

    def taken(self) -> Taken:
        bodies = [body for _, body in self.found.requests] if hasattr(self, "found") else []
        return [self._values(body) for body in bodies if REFUSED.encode() not in body]

    @staticmethod
    def _values(body: bytes) -> tuple[str, str, str, str, str]:
        operation = next(iter(etree.fromstring(body).iterfind("{*}Body/*")))
        texts = {etree.QName(each).localname: each.text or "" for each in operation}
        return "", texts["id"], texts["originator"], texts["body"], texts["type"]


class Program(Peer):
    """A program."""

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "command", "command": [str(self.folder / "take")]}

    def start(self) -> None:
        self.folder.mkdir()
        script = f"""#!/bin/sh
[ "$SMS_BODY" = '{REFUSED}' ] && exit 65
exec cat >> '{self.folder}/taken'
"""
        (self.folder / "take").write_text(script)
        (self.folder / "take").chmod(0o755)

    def taken(self) -> Taken:
        file = self.folder / "taken"
        return [_of(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


class Directory(Peer):
    """A directory. It refuses one message: what has the name of its file is a folder."""

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "files", "directory": str(self.folder), "name": "{digest}.{extension}"}

    def start(self) -> None:
        self.folder.mkdir()
        digest = hashlib.sha256(REFUSED_MESSAGE.key.encode()).hexdigest()[:32]
        (self.folder / f"{digest}.json").mkdir()

    def taken(self) -> Taken:
        found = [each for each in self.folder.glob("*.json") if each.is_file()]
        files = sorted(found, key=lambda file: file.stat().st_mtime_ns)
        return [_of(json.loads(file.read_text())) for file in files]


class Database(Peer):
    """A table of a PostgreSQL, with a constraint."""

    nul = "\N{REPLACEMENT CHARACTER}"

    def prepare(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="peer-"))  # the server's account gets into no folder of pytest's
        self.everything.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        data = folder / "server"
        data.mkdir()
        try:
            self.server = PostgreSQL(data, port=free_port(), durable=False)
        except NoPostgreSQLError as reason:
            pytest.skip(str(reason))
        self.server.make()
        self.started = False

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "sql", "url": self.server.url("sms")}

    def start(self) -> None:
        self.server.start()
        self.everything.callback(self.server.stop)
        self.server.database("sms")
        sink = Sql(SqlSettings.model_validate(self.settings))
        sink.create_table()
        sink.close()
        with self.server.engine("sms").connect() as connection:
            connection.execute(text(f"ALTER TABLE sms_notification ADD CHECK (body <> '{REFUSED}')"))
            connection.execute(text("ALTER TABLE sms_notification ADD COLUMN number SERIAL"))
        self.started = True

    def taken(self) -> Taken:
        if not self.started:
            return []
        engine = create_engine(self.server.url("sms"))
        with engine.connect() as connection:
            rows = connection.execute(
                text("SELECT key, id, originator, body, type FROM sms_notification ORDER BY number")
            )
            found = [(row[0], row[1], row[2], row[3], row[4]) for row in rows]
        engine.dispose()
        return found


class Output(Peer):
    """A program that reads standard output through a pipe; its end is closed at first. It can refuse nothing."""

    refuses = False

    def prepare(self) -> None:
        self.folder.mkdir()
        patch = self.everything.enter_context(pytest.MonkeyPatch.context())
        self.system = SimpleNamespace()  # in the place of sys for the sink alone: pytest's own output goes on
        patch.setattr(stdout, "sys", self.system)
        reading, writing = os.pipe()
        os.close(reading)
        self.system.stdout = os.fdopen(writing, "w", encoding="utf-8")
        self.everything.callback(suppressing(self.system.stdout.close))

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "stdout"}

    def start(self) -> None:
        with (self.folder / "taken").open("wb") as taken:
            program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=taken, encoding="utf-8")
        assert program.stdin is not None
        self.system.stdout = program.stdin
        self.everything.callback(program.wait, 30)
        self.everything.callback(program.stdin.close)

    def taken(self) -> Taken:
        wait_for(lambda: (self.folder / "taken").read_bytes().count(b"\n") >= len(TEXTS) * 2 + 2)
        return [_of(json.loads(line)) for line in (self.folder / "taken").read_text().splitlines()]


def suppressing(close: Callable[[], None]) -> Callable[[], None]:
    """Return what closes a file whose reader is gone."""

    def closing() -> None:
        with suppress(BrokenPipeError):
            close()

    return closing


class Broker(Peer):
    """A RabbitMQ that runs, in which the exchange is missing at first; to stop it is a test of the sink alone.

    A queue that is full refuses one message, whose routing key leads to it too.
    """

    def __init__(self, folder: Path, everything: ExitStack, url: str) -> None:
        super().__init__(folder, everything)
        self.url = url

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "amqp", "url": self.url, "exchange": "whole-way", "routing_key": "{kind}.{key}"}

    def start(self) -> None:
        self.channel = self.everything.enter_context(pika.BlockingConnection(pika.URLParameters(self.url))).channel()
        self.channel.exchange_declare("whole-way", exchange_type="topic")
        self.channel.queue_declare("whole-way")
        self.channel.queue_bind("whole-way", "whole-way", "#")
        self.channel.queue_declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        self.channel.basic_publish("", "full", b"the one that it has room for")
        self.channel.queue_bind("full", "whole-way", f"MessageReceived.{REFUSED_MESSAGE.key}")

    def taken(self) -> Taken:
        found = []
        while (got := self.channel.basic_get("whole-way", auto_ack=True))[0] is not None:
            found.append(_of(json.loads(got[2])))
        return [each for each in found if each[3] != REFUSED]


PEERS: Final[dict[str, Callable[[Path, ExitStack], Peer]]] = {
    "webhook": Hook,
    "webhook in batches": HookOfBatches,
    "soap": OldHandler,
    "command": Program,
    "sql": Database,
    "files": Directory,
    "stdout": Output,
}
"""The peers that a test needs no broker for."""
