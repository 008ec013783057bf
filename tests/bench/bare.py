"""The bare loop beside a sink: the peer's own client library does the same confirmed work, and nothing else.

``python -m tests.bench.bare TYPE ADDRESS MESSAGES THREADS`` writes how many seconds that took.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[str, bytes], None]

BODY: Final = b'{"kind":"MessageReceived","body":"%s"}' % (b"vote for number 7 good luck and thanks " * 10)
"""As long as what a sink sends of a usual message."""
_OPENING_SECONDS: Final = 20.0
_once: Final = threading.Lock()


def webhook(address: str) -> Send:
    """Return a POST over a session that stays open."""
    import requests  # noqa: PLC0415 - each loop needs a library of its own

    session = requests.Session()
    session.trust_env = False

    def send(key: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        session.post(address, data=body, headers=headers, timeout=30).raise_for_status()

    return send


def soap(address: str) -> Send:
    """Return a call by zeep, of the same operation."""
    import zeep  # noqa: PLC0415

    from soap_handler.contract import wsdl_path  # noqa: PLC0415

    client: Any = zeep.Client(str(wsdl_path("AccountEventHandler")))  # type: ignore[no-untyped-call] # of zeep
    client.transport.session.trust_env = False
    service = client.create_service("{com.esendex.ems.soapinterface}AccountEventHandlerSoap", address)
    header = {"MessengerHeader": {"Username": "u", "Password": "p", "Account": "EX0012345"}}
    values = {"originator": "447700900123", "recipient": "447786204254", "type": "Text"}
    times = {"sentat": "2026-03-02T08:00:00Z", "receivedat": "2026-03-02T08:00:00Z"}

    def send(key: str, body: bytes) -> None:
        service.MessageReceived(id=key, body=body.decode(), **values, **times, _soapheaders=header)

    return send


def amqp(address: str) -> Send:
    """Return a publish with a confirm."""
    import pika  # noqa: PLC0415

    channel = pika.BlockingConnection(pika.URLParameters(address)).channel()
    channel.queue_declare("bare", durable=True)
    channel.confirm_delivery()

    def send(key: str, body: bytes) -> None:
        properties = pika.BasicProperties(delivery_mode=2, message_id=key)
        channel.basic_publish("", "bare", body, properties, mandatory=True)

    return send


def sql(address: str) -> Send:
    """Return an insert with its commit, of the values that the sink inserts, into a table like its own."""
    import psycopg  # noqa: PLC0415

    from soap_handler.settings.sinks import SqlSettings  # noqa: PLC0415
    from soap_handler.sinks.sql import Sql, attributes  # noqa: PLC0415
    from tests.sinks.deliveries import received  # noqa: PLC0415

    sink = Sql(SqlSettings.model_validate({"type": "sql", "url": address, "table": "bare"}))
    with _once:  # PostgreSQL refuses one of two that create it at once
        sink.create_table()
    sink.close()
    values = attributes(received())
    names = [column.name for column in sink.table.columns]
    statement: Any = f"INSERT INTO bare ({', '.join(names)}) VALUES ({', '.join(f'%({name})s' for name in names)})"  # noqa: S608 - names of the code
    given = {name: values.get(name) for name in names}
    connection = psycopg.connect(address.replace("+psycopg", ""))

    def send(key: str, _body: bytes) -> None:
        connection.execute(statement, given | {"key": key})
        connection.commit()

    return send


def command(address: str) -> Send:
    """Return the run of a program."""

    def send(_key: str, body: bytes) -> None:
        subprocess.run([address], input=body, stdout=subprocess.DEVNULL, check=True)

    return send


def files(address: str) -> Send:
    """Return a file that is synced, renamed, and its directory synced."""
    directory = os.open(address, os.O_RDONLY)

    def send(key: str, body: bytes) -> None:
        descriptor = os.open(f"{address}/.{key}", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, body)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(f"{address}/.{key}", f"{address}/{key}")  # noqa: PTH104 - as bare as can be
        os.fsync(directory)

    return send


LOOPS: Final = {each.__name__: each for each in (webhook, soap, amqp, sql, command, files)}
"""The loops by the type of the sink."""


def seconds(kind: str, address: str, messages: int, threads: int) -> float:
    """Return how long so many messages took, sent by so many threads; connections are open before."""
    numbers = itertools.count()
    ready = threading.Barrier(threads + 1)

    def run() -> None:
        send = LOOPS[kind](address)
        ready.wait(_OPENING_SECONDS)
        while (number := next(numbers)) < messages:
            send(f"{time.time_ns():x}-{number}", BODY)

    all_of_them = [threading.Thread(target=run) for _ in range(threads)]
    for each in all_of_them:
        each.start()
    ready.wait(_OPENING_SECONDS)
    began = time.monotonic()
    for each in all_of_them:
        each.join()
    return time.monotonic() - began


if __name__ == "__main__":
    sys.stdout.write(f"{seconds(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))}\n")
