"""The sink that publishes to a broker, against a real RabbitMQ."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pika = pytest.importorskip("pika")

from soap_handler.errors import SinkDownError, SinkRefusedError  # noqa: E402 - after the library is known to be there
from soap_handler.settings.sinks import AmqpSettings  # noqa: E402
from soap_handler.sinks.amqp import Amqp  # noqa: E402
from soap_handler.sinks.form import form  # noqa: E402
from soap_handler.trace_context import carried  # noqa: E402
from tests.sinks.deliveries import ALL_KINDS, AWKWARD, received  # noqa: E402
from tests.sinks.peers import Broker  # noqa: E402
from tests.sinks.rabbitmq import RabbitMq, is_installed  # noqa: E402
from tests.sinks.whole_way import go  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.sinks.base import Delivery


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """Return a running broker."""
    if not is_installed():
        pytest.skip("RabbitMQ is not installed")
    found = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@contextmanager
def channel(broker: RabbitMq) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    try:
        yield connection.channel()
    finally:
        connection.close()


@contextmanager
def amqp(broker: RabbitMq, **settings: Any) -> Iterator[Amqp]:
    sink = Amqp(AmqpSettings.model_validate({"type": "amqp", "url": broker.url, "timeout": 10, **settings}))
    try:
        yield sink
    finally:
        sink.close()


def cut_connections(port: int) -> None:
    """Cut this process's connections to a port, unnoticed by the library that holds them."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
            if found.family == socket.AF_INET and found.getpeername()[1] == port:
                found.shutdown(socket.SHUT_RDWR)


def declared(name: str) -> dict[str, Any]:
    return {"exchange": f"x-{name}", "queue": f"q-{name}", "declare": True}


def arrived(broker: RabbitMq, name: str) -> list[tuple[Any, Any]]:
    """Return the properties and values of all messages in a queue, which is empty afterwards."""
    found = []
    with channel(broker) as reader:
        while (got := reader.basic_get(f"q-{name}", auto_ack=True))[0] is not None:
            found.append((got[1], json.loads(got[2])))
    return found


def test_each_kind_arrives_in_order_with_its_key(broker: RabbitMq) -> None:
    """Persistent, with the key as message id, and the JSON form as the body."""
    with amqp(broker, **declared("kinds")) as sink:
        for delivery in ALL_KINDS:
            sink.deliver(delivery)
    messages = arrived(broker, "kinds")
    assert [values for _, values in messages] == [form(delivery) for delivery in ALL_KINDS]
    for (properties, _), delivery in zip(messages, ALL_KINDS, strict=True):
        assert properties.message_id == delivery.notification.key
        assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
        assert properties.type == delivery.notification.kind


def test_the_trace_context_of_the_attempt_goes_along(broker: RabbitMq) -> None:
    """As a header of the name that OpenTelemetry's consumers look for; without traces there is none."""
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with amqp(broker, **declared("traces")) as sink:
        with carried(context):
            sink.deliver(received())
        sink.deliver(received())
    assert [properties.headers for properties, _ in arrived(broker, "traces")] == [{"traceparent": context}, None]


def test_each_text_arrives_exactly(broker: RabbitMq) -> None:
    """NUL, half a surrogate pair, emoji, ten thousand characters."""
    with amqp(broker, **declared("texts")) as sink:
        for text in AWKWARD.values():
            sink.deliver(received(body=text))
    assert [values["body"] for _, values in arrived(broker, "texts")] == list(AWKWARD.values())


def test_the_routing_key_is_made_of_account_and_kind(broker: RabbitMq) -> None:
    """So that queues can be bound to some of them."""
    with amqp(broker, **declared("routes")) as sink, channel(broker) as reader:
        sink.deliver(received())
        method, _, _ = reader.basic_get("q-routes", auto_ack=True)
    assert method.routing_key == "EX0000001.MessageReceived"


def test_a_queue_gets_what_its_routing_key_can_be_and_nothing_else(broker: RabbitMq) -> None:
    """What is put in may have dots of its own; what another publishes to the exchange is not ours."""
    with amqp(broker, **declared("bound"), routing_key="sms.{kind}.in-{account}") as sink, channel(broker) as other:
        sink.deliver(received())
        for key in ("sms.x.y.in-EX.1", "orders.new"):
            other.basic_publish("x-bound", key, json.dumps({"body": key}).encode())
    assert [values["body"] for _, values in arrived(broker, "bound")] == ["hello", "sms.x.y.in-EX.1"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"exchange": "is-not-there"}, "404"),
        ({"routing_key": "no-queue-has-this-name"}, "came back"),
        ({"url": "amqp://guest:wr0ng@127.0.0.1:{port}/%2F"}, "Auth"),
        ({"url": "amqp://guest:guest@127.0.0.1:{port}/nowhere"}, "Error|Closed|530|refused"),
    ],
)
def test_what_every_message_would_meet_is_the_sinks_fault(
    broker: RabbitMq, settings: dict[str, Any], reason: str
) -> None:
    """A missing exchange, no queue, a refused login: named, without the password. Nothing is declared unasked."""
    settings = {name: value.format(port=broker.port) for name, value in settings.items()}
    with amqp(broker, **settings) as sink, pytest.raises(SinkDownError, match=reason) as caught:
        sink.deliver(received())
    assert "wr0ng" not in str(caught.value)


def test_a_full_queue_refuses_the_message(broker: RabbitMq) -> None:
    """A nack is no confirmation; the broker works, so the message is to blame until others are refused too."""
    with channel(broker) as owner:
        owner.queue_declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        with amqp(broker, routing_key="full") as sink:
            sink.deliver(received("1"))
            with pytest.raises(SinkRefusedError, match="nack"):
                sink.deliver(received("2"))
        owner.queue_delete("full")


def test_a_broker_that_was_killed_keeps_what_it_confirmed(broker: RabbitMq) -> None:
    """Meanwhile deliveries fail; after its restart the same sink goes on, and nothing confirmed is lost."""
    with amqp(broker, **declared("killed")) as sink:
        sink.deliver(received("1"))
        broker.kill()
        with pytest.raises(SinkDownError):
            sink.deliver(received("2"))
        with pytest.raises(SinkDownError):
            sink.probe()
        broker.start()
        sink.deliver(received("2"))
        assert "logged in" in sink.probe()
    assert [values["id"] for _, values in arrived(broker, "killed")] == ["1", "2"]


def test_a_connection_that_died_while_it_rested_is_no_failure(
    broker: RabbitMq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall forgets idle connections: the next delivery uses a new one and succeeds."""
    monkeypatch.setattr("soap_handler.sinks.amqp.FRESH_SECONDS", 0.0)  # as if it had rested for longer
    with amqp(broker, **declared("rested")) as sink:
        sink.deliver(received("1"))
        cut_connections(broker.port)
        sink.deliver(received("2"))
    assert [values["id"] for _, values in arrived(broker, "rested")] == ["1", "2"]


def test_a_port_that_is_closed_is_named() -> None:
    """Without the login."""
    sink = Amqp(AmqpSettings.model_validate({"type": "amqp", "url": "amqp://u:s3cret@127.0.0.1:9/"}))
    with pytest.raises(SinkDownError, match="refused") as caught:
        sink.deliver(received())
    assert "s3cret" not in str(caught.value)


def test_the_delivery_is_typed(broker: RabbitMq) -> None:
    """With ``format = "cloudevents"`` the content type says so."""
    delivery: Delivery = received()
    with amqp(broker, format="cloudevents", **declared("events")) as sink:
        sink.deliver(delivery)
    ((properties, values),) = arrived(broker, "events")
    assert properties.content_type == "application/cloudevents+json"
    assert values["id"] == delivery.notification.key


def test_the_whole_way(broker: RabbitMq, tmp_path: Path) -> None:
    """As of every other sink: from a push to the queue, and out of the inbox."""
    go(tmp_path, lambda folder, everything: Broker(folder, everything, broker.url))


def tls(broker: RabbitMq, certificate: str | None) -> dict[str, Any]:
    own = {} if certificate is None else {"client_certificate": broker.folder / f"{certificate}.pem"}
    key = {} if certificate is None else {"client_key": broker.folder / f"{certificate}.key"}
    url = f"amqps://guest:guest@127.0.0.1:{broker.tls_port}/%2F"
    return {"url": url, "ca_bundle": broker.folder / "ca.pem", **own, **key}


def test_both_sides_show_their_certificate(broker: RabbitMq) -> None:
    """Mutual TLS: the broker asks for a certificate and gets it, and a message arrives."""
    with amqp(broker, **declared("tls"), **tls(broker, "client")) as sink:
        assert "logged in" in sink.probe()
        sink.deliver(received("over TLS"))
    assert [values["id"] for _, values in arrived(broker, "tls")] == ["over TLS"]


@pytest.mark.parametrize("certificate", [None, "stranger"])
def test_a_broker_that_asks_for_a_certificate_takes_no_other(broker: RabbitMq, certificate: str | None) -> None:
    """None, or one of another authority: the sink is down, and no message is blamed."""
    with amqp(broker, **tls(broker, certificate)) as sink, pytest.raises(SinkDownError):
        sink.deliver(received())


def test_a_broker_must_be_trusted(broker: RabbitMq) -> None:
    """Without its authority in ``ca_bundle`` nothing is sent, not even the login."""
    settings = {**tls(broker, "client"), "ca_bundle": None}
    with amqp(broker, **settings) as sink, pytest.raises(SinkDownError) as caught:
        sink.deliver(received())
    assert "unknown issuer" in str(caught.value)
