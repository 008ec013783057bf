"""Peers that are processes of their own, killed and started again: an old Account Event Handler, and a RabbitMQ."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from soap_handler.contract import OPERATIONS, Type
from soap_handler.notifications import Kind, from_dict
from tests.campaigns.figures import SkippedError
from tests.campaigns.peers import Peer
from tests.campaigns.service import ROOT, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sinks.rabbitmq import RabbitMq

_TIME_NOT_SET: Final = "0001-01-01T00:00:00"


class OldHandler(Peer):
    """An Account Event Handler, to which the service relays."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._notes = self.folder / "notes"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.reached_at}/AccountEventHandler.asmx"
        return {"type": "soap", "url": url, "username": "relay", "password": "not a secret"}

    def start(self) -> None:
        if self._process is None:
            command = [sys.executable, "-m", "tests.campaigns.old_handler", str(self.port), str(self._notes)]
            self._process = subprocess.Popen(command, cwd=ROOT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def taken(self) -> Counter[str]:
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return Counter(_key(*json.loads(line)) for line in lines)


def _key(operation: str, account: str, texts: dict[str, str]) -> str:
    """Return the key of a call, by the values that arrived."""
    values: dict[str, Any] = {"account": account}
    for each in OPERATIONS[Kind(operation)].parameters:
        if isinstance(each.type, Type | type) and each.name in texts:
            text = texts[each.name]
            values[each.attribute] = None if each.type is Type.TIME and text == _TIME_NOT_SET else text
    return from_dict(Kind(operation), values).key


class Broker(Peer):
    """A RabbitMQ with one queue, which the service declares.

    What is in the queue is counted and stays there: a broker that is killed forgets the last acknowledgements, and
    gives again what had been taken out.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._node = _node(self.folder)
        self.port = self._node.port
        self._running = False

    @property
    def settings(self) -> dict[str, object]:
        url = f"amqp://guest:guest@127.0.0.1:{self.reached_at}/%2F"
        return {"type": "amqp", "url": url, "exchange": "sms", "queue": "sms", "declare": True}

    def start(self) -> None:
        if not self._running:
            self._node.start()
        self._running = True

    def stop(self) -> None:
        if self._running:
            self._node.kill()
        self._running = False

    def close(self) -> None:
        self._node.stop()

    def taken(self) -> Counter[str]:
        import pika  # noqa: PLC0415 - see _node

        self.start()  # it may be away
        connection = pika.BlockingConnection(pika.URLParameters(self._node.url))
        channel = connection.channel()
        channel.queue_declare("sms", durable=True)
        found: Counter[str] = Counter()
        while (got := channel.basic_get("sms"))[0] is not None:
            found[got[1].message_id] += 1
        connection.close()  # without an acknowledgement, so that all goes back into the queue
        return found


def _node(folder: Path) -> RabbitMq:
    try:
        from tests.sinks.rabbitmq import RabbitMq, is_installed  # noqa: PLC0415 - needs pika, as only this peer does
    except ImportError as error:
        raise SkippedError("pika is not installed") from error
    if not is_installed():
        raise SkippedError("RabbitMQ is not installed")
    return RabbitMq(folder)
