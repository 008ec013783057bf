"""Settings of routes and sinks: which notification goes to which ready-made destination, and how to reach that.

A sink is a table of its own, ``[sink.NAME]``, whose ``type`` says which of the models below it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from soap_handler.notifications import Kind
from soap_handler.settings.table import Table
from soap_handler.settings.value_types import (
    BrokerAddress,
    CommandLine,
    Count,
    DatabaseUrl,
    Duration,
    ExistingPath,
    HeaderName,
    Name,
    Password,
    ProxyAddress,
    Seconds,
    SecretAddress,
    SecretHeader,
    Template,
    Text,
    WebhookKey,
    known_fields,
)

MOST_AT_ONCE: Final = 1000
"""Notifications under way to one sink that delivers in batches."""
PYTHON: Final = "python"
"""The destination of a route that is ``handler.target``, and no sink."""


# fmt: off
SQL_ATTRIBUTES: Final = frozenset({
    "key", "kind", "account", "id", "notification_id", "originator", "recipient", "mobile_number", "contact_id", "body",
    "type", "event_type", "error_type", "event_code", "detail", "failure_code", "failure_description",
    "failure_is_permanent", "sent_at", "received_at", "occurred_at", "stored_at", "payload",
})
# fmt: on
"""What a column of the sink ``sql`` can be filled with."""


class RouteSettings(Table):
    """One rule: these kinds of these accounts go to that sink. The first rule that matches takes a notification."""

    kinds: tuple[Kind, ...] = Field(
        default=(), description="Kinds that the route takes; empty: all.", examples=[["MessageReceived"]]
    )
    accounts: tuple[Name, ...] = Field(
        default=(),
        description="Accounts that the route takes, by any of their names; empty: all.",
        examples=[["EX0012345"]],
    )
    sink: Text = Field(description='Name of the [sink.NAME] that takes them, or "python" for handler.target.')


class SinkSettings(Table):
    """What all sinks have in common: time, threads and retries."""

    timeout: Seconds = Field(default=30.0, description="Seconds for one delivery; after that the attempt has failed.")
    concurrency: Count = Field(
        default=4, le=256, description="Deliveries at once; notifications of one originator keep their order."
    )
    give_up_after: Duration = Field(
        default=259200.0,
        description='Time after which a notification that was never delivered is dead, such as "90s", "12h" or "3d".',
        examples=["3d"],
    )
    max_attempts: Count | None = Field(
        default=None,
        description="Attempts before a notification is dead; unset: as many as give_up_after allows.",
        examples=[10],
    )
    refusals_allowed: Count = Field(
        default=3,
        description="Times that the destination may refuse one notification before that is dead; it delays no other.",
    )
    format: Literal["json", "cloudevents"] = Field(
        default="json", description="json: the notification itself; cloudevents: inside a CloudEvents 1.0 envelope."
    )

    @property
    def longest(self) -> float:
        """The longest time in seconds that one delivery may take, with those that go in the same call."""
        return self.timeout


class _Tls(Table):
    """Certificates of a sink that speaks TLS."""

    ca_bundle: ExistingPath | None = Field(
        default=None,
        description="Path of the certificates to trust instead of the well-known roots.",
        examples=["ca-bundle.pem"],
    )
    client_certificate: ExistingPath | None = Field(
        default=None, description="Path of the certificate to present, in PEM.", examples=["client.pem"]
    )
    client_key: ExistingPath | None = Field(
        default=None, description="Path of the certificate's key, where it is in a file of its own."
    )

    @field_validator("client_key")
    @classmethod
    def _with_certificate(cls, key: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - the value passes through
        if key is not None and info.data.get("client_certificate") is None:
            raise ValueError("client_certificate beside it")
        return key


class _Batches(SinkSettings):
    """A sink that delivers several notifications together."""

    batch: Count

    @field_validator("batch")
    @classmethod
    def _few_at_once(cls, batch: int, info: ValidationInfo) -> int:
        if batch * info.data.get("concurrency", 1) > MOST_AT_ONCE:
            raise ValueError(f"batch times concurrency at most {MOST_AT_ONCE}: so many are leased at once")
        return batch


class SinkHeader(Table):
    """One header of the requests of a sink."""

    name: HeaderName = Field(description="Name of a header.", examples=["X-Api-Key"])
    value: SecretHeader = Field(description="Its value.", examples=["…"])


class WebhookSecret(Table):
    """One secret that signs requests."""

    secret: WebhookKey = Field(
        description="Secret of Standard Webhooks: whsec_ and 24 to 64 bytes in base64.", examples=["whsec_…"]
    )


class WebhookSettings(_Batches, _Tls):
    """A web hook: POST with JSON, signed as Standard Webhooks."""

    type: Literal["webhook"]
    url: SecretAddress = Field(description="Address that gets the requests.")
    batch: Count = Field(
        default=1,
        le=MOST_AT_ONCE,
        description="Notifications in one request, as a JSON array that is answered as one; 1: no array.",
        examples=[50],
    )

    @property
    def longest(self) -> float:
        """A batch that is refused takes three times the timeout.

        That is for its request, for single ones, and for the last of these, which begins just before that time is over.
        """
        return self.timeout if self.batch == 1 else 3 * self.timeout

    secrets: tuple[WebhookSecret, ...] = Field(
        default=(),
        description="Secrets that sign each request; several while one is replaced. Empty: no signature.",
        examples=[()],
    )
    username: Text | None = Field(default=None, description="User name for HTTP Basic.")
    password: Password | None = Field(default=None, description="Password for HTTP Basic.")
    bearer_token: SecretHeader | None = Field(default=None, description="Token for Authorization: Bearer.")

    @field_validator("bearer_token")
    @classmethod
    def _one_login(cls, token: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - the value passes through
        if token is not None and info.data.get("username") is not None:
            raise ValueError("either bearer_token or username")
        return token

    headers: tuple[SinkHeader, ...] = Field(default=(), description="Further headers of each request.", examples=[()])
    proxy: ProxyAddress | None = Field(
        default=None, repr=False, description="Address of the HTTP proxy; proxies in the environment are not used."
    )


class SoapSettings(SinkSettings, _Tls):
    """Relay to an existing Account Event Handler: the same SOAP operation, with its own MessengerHeader."""

    type: Literal["soap"]
    url: SecretAddress = Field(description="Address of the Account Event Handler.")
    username: Text = Field(description="User name in the MessengerHeader.")
    password: Password = Field(description="Password in the MessengerHeader.")
    account: Text | None = Field(
        default=None, description="Account in the MessengerHeader; unset: the account's reference."
    )
    proxy: ProxyAddress | None = Field(
        default=None, repr=False, description="Address of the HTTP proxy; proxies in the environment are not used."
    )


class CommandSettings(SinkSettings):
    """A program that is started for each notification, with the JSON on its standard input."""

    type: Literal["command"]
    command: CommandLine = Field(
        description="Program and arguments, as a list; no shell.", examples=[["/usr/local/bin/on-sms", "--from-ems"]]
    )
    directory: Path | None = Field(default=None, description="Working directory of the program.")


class AmqpSettings(SinkSettings, _Tls):
    """A message broker, RabbitMQ first: persistent messages with publisher confirms."""

    type: Literal["amqp"]
    url: BrokerAddress = Field(description="Address of the broker: amqp://user:password@host/vhost, or amqps://.")
    exchange: str = Field(default="", description="Exchange to publish to; empty: the default exchange.")
    routing_key: Template = Field(
        default="{account}.{kind}", description="Routing key; {account}, {kind} and {key} are put in."
    )

    @field_validator("routing_key")
    @classmethod
    def _known(cls, routing_key: str) -> str:
        return known_fields(routing_key, {"account", "kind", "key"})

    declare: bool = Field(
        default=False, description="Declare the exchange (topic, durable) and queue; false: declare nothing."
    )
    queue: Text | None = Field(
        default=None,
        description=(
            "Queue to declare and bind, if declare: to what has the routing_key, with any text for what is put in. The "
            "default exchange takes no binding; there the routing_key is the queue's name."
        ),
    )

    @field_validator("queue")
    @classmethod
    def _reached(cls, queue: str | None, info: ValidationInfo) -> str | None:
        declared = bool(queue and info.data.get("declare"))
        if declared and not info.data.get("exchange") and info.data.get("routing_key", queue) != queue:
            raise ValueError("exchange beside it, or a routing_key that is the queue's name")
        return queue


class SqlSettings(_Batches):
    """A table of a database of yours."""

    type: Literal["sql"]
    url: DatabaseUrl = Field(description="SQLAlchemy URL of the database.")
    batch: Count = Field(
        default=32,
        le=MOST_AT_ONCE,
        description="Rows in one transaction at most, of notifications that come together; 1: each has its own.",
    )

    @property
    def statement_seconds(self) -> float:
        """The longest time in seconds for one transaction: half, as each row of a refused batch is inserted alone."""
        return self.timeout if self.batch == 1 else self.timeout / 2

    table: Text = Field(default="sms_notification", description="Table, or schema.table.")
    columns: dict[Text, Text] = Field(
        default={},
        description="Column for each attribute that is stored; empty: all, each in a column of its name.",
        examples=[{"key": "sms_key", "body": "text"}],
    )

    @field_validator("columns")
    @classmethod
    def _with_key(cls, columns: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(columns) - SQL_ATTRIBUTES):
            raise ValueError(f"no {unknown[0]!r}, but some of {', '.join(sorted(SQL_ATTRIBUTES))}")
        if columns and "key" not in columns:
            raise ValueError("a column for key, which makes inserts idempotent")
        return columns


class FilesSettings(SinkSettings):
    """A directory: one file for each notification."""

    type: Literal["files"]
    directory: Path = Field(
        description="Directory of the files; it is not made. While it is away, notifications wait in the journal.",
        examples=["/var/spool/sms"],
    )
    format: Literal["json", "cloudevents", "envelope"] = Field(  # type: ignore[assignment] # one more than others have
        default="json",
        description=(
            "json: the notification itself; cloudevents: inside a CloudEvents 1.0 envelope; envelope: the request as "
            "EMS sent it, which the journal keeps then, password masked."
        ),
    )
    name: Template = Field(
        default="{stored_at}-{kind}-{digest}.{extension}",
        description=(
            "Name of a file; {stored_at}, {kind}, {account}, {id}, {digest} and {extension} are put in: json, or for a "
            "request xml, or txt where it is a form. "
            "{digest}, of the key, must be in it: it tells notifications apart."
        ),
    )

    @field_validator("name")
    @classmethod
    def _distinct(cls, name: str) -> str:
        if "{digest}" not in name or "/" in name or "\\" in name:
            raise ValueError("a file name without folder, with {digest} in it")
        return known_fields(name, {"stored_at", "kind", "account", "id", "digest", "extension"})


class StdoutSettings(SinkSettings):
    """Standard output: a line of JSON for each notification, for trying out."""

    type: Literal["stdout"]


AnySink = Annotated[
    WebhookSettings | SoapSettings | CommandSettings | AmqpSettings | SqlSettings | FilesSettings | StdoutSettings,
    Field(discriminator="type"),
]
"""The settings of a sink of any type."""

SINKS: Final[dict[str, type[SinkSettings]]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(AnySink)[0])
}
"""The models by type."""
