"""The sink that publishes to a message broker (AMQP 0-9-1, RabbitMQ first): persistent messages with confirms.

The library is pika, RabbitMQ's own choice for Python: it is small, and its blocking channel raises what the broker did
not take. A connection belongs to one thread. One that has rested is made anew, since brokers and firewalls forget it.
"""

from __future__ import annotations

import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from soap_handler.connection_faults import tls_fault
from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.sinks.base import Sink
from soap_handler.sinks.form import content_type, encoded
from soap_handler.trace_context import HEADER, current

if TYPE_CHECKING:
    from soap_handler.settings.sinks import AmqpSettings
    from soap_handler.sinks.base import Delivery

_IDLE_SECONDS: Final = 25.0  # after which a connection is made anew; RabbitMQ's heartbeat timeout is 60
FRESH_SECONDS: Final = 0.5
"""For which a connection that has just confirmed a message is not looked at again."""
_PERSISTENT: Final = 2


class Amqp(Sink):
    """An exchange of a broker."""

    def __init__(self, settings: AmqpSettings) -> None:
        self._settings = settings
        self._local = threading.local()
        self._opened: list[Any] = []
        self._lock = threading.Lock()

    def deliver(self, delivery: Delivery) -> None:
        """Publish one message; the broker has confirmed it when this returns."""
        import pika.exceptions  # noqa: PLC0415 - installed only with the extra

        notification = delivery.notification
        channel = self._channel()
        key, kind = notification.key, notification.kind.value
        body = encoded(delivery, self._settings.format).encode()
        fields = {"account": notification.account, "kind": kind, "key": key}
        properties = pika.BasicProperties(
            content_type=content_type(self._settings.format),
            delivery_mode=_PERSISTENT,
            message_id=key[:255],
            type=kind,
            timestamp=int(delivery.stored_at.timestamp()),
            app_id="soap-handler",
            headers={HEADER: context} if (context := current()) else None,
        )
        try:
            channel.basic_publish(
                self._settings.exchange,
                self._settings.routing_key.format(**fields),
                body,
                properties=properties,
                mandatory=True,
            )
        except pika.exceptions.UnroutableError as error:
            raise SinkDownError("the broker has no queue for this routing key; the message came back") from error
        except pika.exceptions.NackError as error:
            raise SinkRefusedError("the broker refused the message (nack)") from error
        except (pika.exceptions.AMQPError, OSError) as error:
            self._drop()
            raise SinkDownError(_reason(error)) from error
        self._local.used = time.monotonic()

    def probe(self) -> str:
        """Log in, and look for the exchange."""
        import pika.exceptions  # noqa: PLC0415 - installed only with the extra

        channel = self._channel()
        try:
            if self._settings.exchange:
                channel.exchange_declare(self._settings.exchange, passive=True)
        except (pika.exceptions.AMQPError, OSError) as error:
            raise SinkDownError(_reason(error)) from error
        finally:
            self._drop()
        return "logged in; the exchange is there"

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            opened, self._opened = self._opened, []
        for connection in opened:
            _close(connection)

    def _channel(self) -> Any:  # noqa: ANN401 - pika publishes no types
        """Return this thread's channel, on a connection that is open."""
        found = getattr(self._local, "channel", None)
        if found is not None and self._is_alive(found):
            return found
        self._drop()
        connection = self._connect()
        with self._lock:
            self._opened.append(connection)
        self._local.connection = connection
        self._local.channel = self._open(connection)
        self._local.used = time.monotonic()
        return self._local.channel

    def _is_alive(self, channel: Any) -> bool:  # noqa: ANN401 - pika publishes no types
        """Whether a channel can be used again. A connection that was closed while it rested shows when it is read.

        It must show before the message is sent: what is lost after that may have reached the broker.
        """
        import pika.exceptions  # noqa: PLC0415 - installed only with the extra

        rested = time.monotonic() - self._local.used
        if rested > _IDLE_SECONDS:
            return False
        if rested < FRESH_SECONDS and channel.is_open:
            return True  # a look at the socket takes an eighth of a delivery's CPU time
        try:
            channel.connection.process_data_events(0)
        except (pika.exceptions.AMQPError, OSError):
            return False
        return bool(channel.is_open)

    def _connect(self) -> Any:  # noqa: ANN401 - pika publishes no types
        import pika.exceptions  # noqa: PLC0415 - installed only with the extra

        settings = self._settings
        try:
            parameters = pika.URLParameters(settings.url.get_secret_value())
            if parameters.ssl_options is not None:
                parameters.ssl_options = pika.SSLOptions(self._tls(), parameters.host)
            parameters.socket_timeout = parameters.stack_timeout = min(settings.timeout, 10.0)
            parameters.blocked_connection_timeout = settings.timeout
            parameters.connection_attempts = 1
            return pika.BlockingConnection(parameters)
        except (pika.exceptions.AMQPError, OSError, ValueError) as error:
            raise SinkDownError(_reason(error)) from error

    def _open(self, connection: Any) -> Any:  # noqa: ANN401 - pika publishes no types
        """Open a channel with confirms; declare what the settings want declared."""
        import pika.exceptions  # noqa: PLC0415 - installed only with the extra

        settings = self._settings
        try:
            channel = connection.channel()
            if settings.declare and settings.exchange:
                channel.exchange_declare(settings.exchange, exchange_type="topic", durable=True)
            if settings.declare and settings.queue:
                channel.queue_declare(settings.queue, durable=True)
                if settings.exchange:
                    channel.queue_bind(settings.queue, settings.exchange, _pattern(settings.routing_key))
            channel.confirm_delivery()
        except (pika.exceptions.AMQPError, OSError) as error:
            self._drop()
            raise SinkDownError(_reason(error)) from error
        return channel

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)
        if settings.client_certificate:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
        return context

    def _drop(self) -> None:
        """Give up this thread's connection."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = self._local.channel = None
        if connection is not None:
            with self._lock:
                self._opened = [each for each in self._opened if each is not connection]
            _close(connection)


def _pattern(routing_key: str) -> str:
    """Return the binding key of all that a template makes: what is put in may have dots, so it is any words."""
    return ".".join("#" if "{" in word else word for word in routing_key.split("."))


def _close(connection: Any) -> None:  # noqa: ANN401 - pika publishes no types
    import pika.exceptions  # noqa: PLC0415 - installed only with the extra

    try:
        if connection.is_open:
            connection.close()
    except (pika.exceptions.AMQPError, OSError):
        return  # it is closed, then


def _reason(error: BaseException) -> str:
    """Say what happened, without the address, which holds a password."""
    name = type(error).__name__
    code = getattr(error, "reply_code", None)
    text = getattr(error, "reply_text", None)
    if code:
        return f"{name}: {code} {text}"
    root: BaseException | None = error
    while root is not None and not getattr(root, "strerror", None):
        inner = root.args[0] if root.args and isinstance(root.args[0], BaseException) else None
        root = inner or getattr(root, "exception", None) or root.__cause__ or root.__context__
    if root is None:
        return name
    return tls_fault(root) or (f"{name}: {root.strerror}" if isinstance(root, OSError) else name)
