"""The whole way, from a push to the peer of a sink: each peer is absent at first, and tells what it took."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest
from lxml import etree
from sqlalchemy import create_engine, text

from soap_handler.app import App
from soap_handler.ems import EmsAccount, SimulatedEms
from soap_handler.journal import State
from soap_handler.journal.records import Selection
from soap_handler.notifications import MessageReceived, MessageType
from soap_handler.settings import Settings
from soap_handler.settings.sinks import SqlSettings
from soap_handler.sinks.sql import Sql
from tests.campaigns.service import free_port
from tests.sinks.deliveries import AWKWARD
from tests.sinks.test_webhook import endpoint
from tests.support.fast_path import chosen
from tests.support.postgresql import NoPostgreSQLError, PostgreSQL
from tests.support.waiting import wait_for
from tests.support.wire import envelope, header, operation, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sinks.test_webhook import Endpoint

Taken = list[tuple[str, str, str, str]]
"""Id, originator, body and type of each message, in the order of arrival."""
REFUSED: Final = "refuse me"
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


def _of(values: dict[str, Any]) -> tuple[str, str, str, str]:
    return values["id"], values["originator"], values["body"], values["type"]


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


class OldHandler(Hook):
    """An Account Event Handler."""

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
    def _values(body: bytes) -> tuple[str, str, str, str]:
        operation = next(iter(etree.fromstring(body).iterfind("{*}Body/*")))
        texts = {etree.QName(each).localname: each.text or "" for each in operation}
        return texts["id"], texts["originator"], texts["body"], texts["type"]


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
            rows = connection.execute(text("SELECT id, originator, body, type FROM sms_notification ORDER BY number"))
            found = [(row[0], row[1], row[2], row[3]) for row in rows]
        engine.dispose()
        return found


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
        return [each for each in found if each[2] != REFUSED]


PEERS: Final[dict[str, Callable[[Path, ExitStack], Peer]]] = {
    "webhook": Hook,
    "soap": OldHandler,
    "command": Program,
    "sql": Database,
    "files": Directory,
}
"""The peers that a test needs no broker for."""


# -- the service between EMS and the peer ------------------------------------------------------------------------------


ACCOUNT: Final = EmsAccount(
    reference="EX1", username="user", password="pass", push_username="ems", push_password="word"
)
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


class Scene:
    """A service with one sink, and the EMS whose inbox it empties."""

    def __init__(self, folder: Path, peer: Peer, everything: ExitStack) -> None:
        self.ems = everything.enter_context(SimulatedEms([ACCOUNT]))
        inbox = {"url": self.ems.inbox_url, "username": "user", "password": "pass", "timeout": 5}
        account = {"reference": "EX1", "push": [{"username": "ems", "password": "word"}], "inbox": inbox}
        self.app = App(
            Settings.model_validate(
                {
                    "server": {"port": 0, "fast_path": chosen()},
                    "journal": {"url": f"sqlite:///{folder / 'journal.db'}"},
                    "delete": {"backoff": 0.1, "backoff_cap": 0.5},
                    "route": [{"sink": "peer"}],
                    "sink": {"peer": {"timeout": 10, "refusals_allowed": 1, **peer.settings}},
                    "account": [account],
                }
            )
        )
        self.ems.handler_url = f"http://127.0.0.1:{self.app.server.port}/AccountEventHandler"
        thread = threading.Thread(target=self.app.run)
        thread.start()
        everything.callback(thread.join, 30)
        everything.callback(self.app.stop)

    def push(self, several: list[MessageReceived]) -> None:
        """Push one after the other: the order in which they are stored is the order of their originators."""
        for each in several:
            self.ems.push(each)
            wait_for(lambda: not self.ems.counts().waiting)

    def push_nul(self) -> None:
        """Push a message with a NUL as .NET writes one: a reference, which no XML may have."""
        body = operation(id=NUL_ID, originator="447700900129", body="a NUL b").replace(" NUL ", "&#0;")
        answer = post(self.app.server.port, envelope(body, header("ems", "word", "EX1")))
        assert answer.confirms

    def count(self, state: State) -> int:
        return sum(count for (_, found), count in self.app.journal.counts().items() if found is state)


def go(folder: Path, make: Callable[[Path, ExitStack], Peer]) -> None:
    """Hold one sink to the whole way."""
    with ExitStack() as everything:
        peer = make(folder, everything)
        scene = Scene(folder, peer, everything)
        early, late = messages(1, TEXTS), [*messages(11, TEXTS), REFUSED_MESSAGE]
        scene.push(early)
        attempts = scene.app.journal.attempts
        wait_for(lambda: any(attempt.outcome in {"failed", "paused"} for _, attempt in attempts()))
        assert (scene.count(State.RECEIVED), len(scene.ems.inbox.mailbox)) == (len(early), len(early))

        peer.start()
        scene.push(late)
        scene.push_nul()
        sound = [*early, *late[:-1]]
        wait_for(lambda: (scene.count(State.DONE), scene.count(State.DEAD)) == (len(sound) + 1, 1))

        taken = peer.taken()
        expected_values = [(each.id, each.originator, each.body, each.type.value) for each in sound]
        assert sorted(taken) == sorted([*expected_values, (NUL_ID, "447700900129", f"a{peer.nul}b", "Text")])
        for originator in {each.originator for each in sound}:
            expected = [each.id for each in sound if each.originator == originator]
            assert [found[0] for found in taken if found[1] == originator] == expected
        dead = {record.key for record in scene.app.journal.records(Selection(state=State.DEAD))}
        assert dead == {REFUSED_MESSAGE.key}
        assert len(scene.ems.inbox.mailbox) == 1
