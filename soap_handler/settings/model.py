"""Settings: the name, type, default and meaning of each. For the sources of values, see sources.py.

The page ``soap-handler docs settings`` and the file that ``init`` writes are made from these descriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from soap_handler.settings.accounts import AccountSettings
from soap_handler.settings.console import ConsoleSettings
from soap_handler.settings.names import all_names, name_clashes, name_key
from soap_handler.settings.provenance import Provenance
from soap_handler.settings.renamed import Rename
from soap_handler.settings.sinks import PYTHON, AnySink, RouteSettings
from soap_handler.settings.table import Table, sentence
from soap_handler.settings.value_types import (
    BaseAddress,
    Bytes,
    Count,
    DaysOrNone,
    Duration,
    Host,
    JournalUrl,
    KindName,
    Network,
    PathPrefix,
    Port,
    Seconds,
    SecondsOrNone,
    SinkName,
    Target,
    masked_journal,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


NO_ACCOUNT = "no_account"
NAMES_CLASH = "names_clash"
"""Types of the pydantic errors for "there is no account", and "two accounts share a name"."""


_ALL_ADDRESSES: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


class ServerSettings(Table):
    """The public listener, its limits and its processes."""

    host: Host = Field(
        default="127.0.0.1", description="Address to listen on; local only, as a TLS proxy stands before it."
    )
    port: Port = Field(default=8080, description="TCP port to listen on; 0 takes any free one.")
    public_url: BaseAddress | None = Field(
        default=None,
        description=(
            "Base address under which EMS reaches this server, written into the WSDL; "
            "unset, the Host header of the request is used."
        ),
        examples=["https://sms.example.com"],
    )
    path_prefix: PathPrefix | None = Field(
        default=None,
        description=(
            "Path before the service's own, as in /Services/AccountEventHandler.asmx; "
            "a request without it is taken too, as a proxy may remove it."
        ),
        examples=["/Services"],
    )
    health: bool = Field(
        default=False,
        description=(
            "Answer GET /health/live and /health/ready at this address too, for each caller whatever allow_from says; "
            "the answer is one word. With [console] they are there anyway, with reasons."
        ),
    )
    help_pages: bool = Field(default=True, description="Pages for people; false leaves the WSDL and its like.")
    test_form: Literal["local", "everywhere", "off"] = Field(
        default="local",
        description=(
            "Who is shown the form that sends a test notification: local: browsers on this machine, not through a "
            "proxy; everywhere: each caller; off: none. What it sends needs a password and reaches your handlers."
        ),
    )
    workers: Count = Field(
        default=1, le=64, description="Processes on the one port, each with the limits set here; on Windows only one."
    )
    threads: Count = Field(
        default=4, le=256, description="Request threads; few are enough, because a request only writes to the journal."
    )
    fast_path: Literal["auto", "off"] = Field(
        default="auto",
        description=(
            "auto: requests that arrive together are read, committed and answered together, and in a burst handling "
            "gives way to receiving. off: each request takes the plain way, slower and easier to follow."
        ),
    )
    max_body: Bytes = Field(
        default=262144, le=67_108_864, description="Largest request body in bytes; a notification has a few thousand."
    )
    drain_timeout: SecondsOrNone = Field(
        default=30.0, description="Seconds to finish what is in flight after SIGTERM; what is left then is cut off."
    )
    allow_from: tuple[Network, ...] = Field(
        default=(),
        description="Networks whose addresses may call; empty lets any call.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description=(
            "Addresses of the proxies before this server, whose X-Forwarded-For and X-Forwarded-Proto are believed; "
            "the caller is the right-most address that is none of them."
        ),
        examples=[["127.0.0.1"]],
    )
    login_failures_allowed: Count = Field(
        default=5,
        description=(
            "Login throttle: failed logins from one address for one account that are answered at once; "
            "later ones are delayed, right credentials never."
        ),
    )
    login_failure_delay: SecondsOrNone = Field(
        default=5.0, description="Longest delay of the answer to a failed login in seconds."
    )
    request_timeout: Seconds = Field(
        default=30.0, description="Seconds in which a whole request must have arrived, even if bytes keep coming."
    )
    idle_timeout: Seconds = Field(
        default=120.0, description="Seconds without a request after which a connection is closed."
    )
    connections: Count = Field(
        default=1000,
        description="Connections at once; a further one takes the place of the longest idle one, or is refused.",
    )
    max_headers: Count = Field(default=64, description="Largest number of header lines in a request.")
    max_header_size: Count = Field(default=16384, description="Largest size of a request's headers in bytes.")
    max_depth: Count = Field(
        default=32, le=200, description="Largest depth of a request's XML elements; the contract needs five."
    )
    max_attributes: Count = Field(
        default=256, description="Largest number of attributes in a request's XML; the contract needs a few."
    )

    @property
    def prefixed_url(self) -> str | None:
        """``public_url`` with ``path_prefix`` at its end, once."""
        prefix = self.path_prefix or ""
        if self.public_url is None or urlsplit(self.public_url).path.lower().endswith(prefix.lower()):
            return self.public_url
        return self.public_url + prefix


class JournalSettings(Table):
    """Where notifications are kept until they are done."""

    url: JournalUrl = Field(
        default=SecretStr("sqlite:///soap-handler.db"),
        description="SQLAlchemy URL of the journal, SQLite or PostgreSQL; a relative file is beside the configuration.",
    )
    timeout: Seconds = Field(
        default=10.0,
        description="Seconds that a request waits for its commit; then EMS gets a Server fault and pushes again later.",
    )
    retention: DaysOrNone = Field(
        default=30.0,
        description="Days that done notifications and records of reconciliations are kept, 4 at least; 0: for ever.",
    )

    audit_retention: DaysOrNone = Field(
        default=365.0,
        description="Days that the audit trail is kept: who retried, replayed, gave up, released, erased; 0: for ever.",
    )

    @property
    def masked_url(self) -> str:
        """The URL without user, password and query: fit for logs and pages."""
        return masked_journal(self.url)


class HandlerSettings(Table):
    """The customer's code, its threads, timeout and retries."""

    target: Target | None = Field(
        default=None,
        description="Your handlers as package.module:attribute; unset, which no inbox allows, standard output as JSON.",
        examples=["my_package.sms:handlers"],
    )
    ignore: tuple[KindName, ...] = Field(
        default=(),
        description="Kinds without a handler on purpose: stored, not handled, not deleted; any other must have one.",
        examples=[["MessageEvent", "SubscriptionEvent"]],
    )
    threads: Count = Field(
        default=4, le=256, description="Handlers at once; messages of one originator keep their order."
    )
    timeout: Seconds = Field(default=30.0, description="Seconds a handler may take; then the attempt has failed.")
    give_up_after: Duration = Field(
        default=259200.0,
        description='Time after which a notification that is still failing is dead, such as "90s", "12h" or "3d".',
        examples=["3d"],
    )
    max_attempts: Count | None = Field(
        default=None,
        description="Attempts before a notification is dead; unset: as many as give_up_after allows.",
        examples=[10],
    )
    backoff: Seconds = Field(
        default=1.0, description="Seconds before the first retry, at most; each later one waits twice as long."
    )
    backoff_cap: Seconds = Field(default=900.0, description="Seconds between two retries, at most.")


class DispatchSettings(Table):
    """The order in which handlers are called."""

    order: Literal["originator", "none"] = Field(
        default="originator",
        description=(
            "originator: of one originator on one account, a notification starts after the previous one is handled or "
            "dead, so a retry blocks later ones of that originator only. none: every notification that is due starts."
        ),
    )


class DeleteSettings(Table):
    """Deletes of handled messages from the EMS inbox, and their retries."""

    backoff: Seconds = Field(
        default=1.0,
        description="Seconds before a failed delete is retried, at most; each later one waits twice as long.",
    )
    backoff_cap: Seconds = Field(default=300.0, description="Seconds between two deletes of one message, at most.")
    refused_backoff: Seconds = Field(
        default=300.0,
        description=(
            "Circuit breaker: seconds without calls after EMS refused the inbox login, doubling up to an hour; "
            "fast retries lock the account."
        ),
    )
    batch: Count = Field(default=100, le=1000, description="Messages in one delete; EMS lists at most about as many.")


class ReconcileSettings(Table):
    """Reconciliation: the comparison of the EMS inbox with the journal, which finds what was missed."""

    interval: SecondsOrNone = Field(
        default=300.0,
        description=(
            "Seconds between two reconciliations of an account, a fifth more or less; "
            "there is also one at the start. 0: only by soap-handler reconcile."
        ),
    )
    timeout: Seconds = Field(
        default=120.0, description="Seconds to read the whole list of an inbox and to journal what is new in it."
    )
    max_size: Bytes = Field(
        default=67108864, description="Largest list of an inbox in bytes; 10,000 messages have about 5 million."
    )


class LogSettings(Table):
    """The log, which goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="text for people, json (one object a line) for collectors."
    )


class TracingSettings(Table):
    """Traces by OpenTelemetry: one for each notification, from its push to its delete."""

    enabled: bool = Field(
        default=False,
        description=(
            "Makes spans of pushes, handlers and deletes; needs soap-handler[otel]. Where they go is said by the "
            "standard OTEL_* environment variables."
        ),
    )


class Settings(Table):
    """The whole configuration. Built directly it holds what is given; ``load_settings`` reads file and environment."""

    _renames: tuple[Rename, ...] = PrivateAttr(default=())
    _provenance: Provenance = PrivateAttr(default_factory=Provenance)

    server: ServerSettings = ServerSettings()
    journal: JournalSettings = JournalSettings()
    handler: HandlerSettings = HandlerSettings()
    dispatch: DispatchSettings = DispatchSettings()
    delete: DeleteSettings = DeleteSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    log: LogSettings = LogSettings()
    console: ConsoleSettings | None = Field(
        default=None, description="The console for operators; without this table it is off."
    )
    tracing: TracingSettings = TracingSettings()
    account: tuple[AccountSettings, ...] = Field(default=(), validate_default=True)
    route: tuple[RouteSettings, ...] = Field(
        default=(), description="Rules of delivery, in order; none: handler.target takes all."
    )
    sink: dict[SinkName, AnySink] = Field(default={}, description="Destinations by name.", validate_default=True)

    @property
    def renames(self) -> tuple[Rename, ...]:
        """The uses of old names of settings that were met while loading."""
        return self._renames

    @property
    def provenance(self) -> Provenance:
        """Where the values came from."""
        return self._provenance

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of the destinations in use: of sinks, and ``python`` for ``handler.target``."""
        return tuple(dict.fromkeys(route.sink for route in self.route)) or (PYTHON,)

    def note_provenance(self, provenance: Provenance) -> None:
        """Keep where the values came from, for people."""
        self._provenance = provenance

    def note_renames(self, renames: Iterable[Rename]) -> None:
        """Keep the uses of old names for the warnings."""
        self._renames = tuple(renames)

    @field_validator("console")
    @classmethod
    def _other_address(cls, console: ConsoleSettings | None, info: ValidationInfo) -> ConsoleSettings | None:
        server: ServerSettings | None = info.data.get("server")
        if console is None or server is None or console.port == 0 or console.port != server.port:
            return console
        if console.host != server.host and not {console.host, server.host} & _ALL_ADDRESSES:
            return console
        raise sentence(f"console.port is {console.port}, which server.port is too; expected another one.")

    @field_validator("account")
    @classmethod
    def _distinct_names(cls, accounts: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
        if not accounts:
            raise PydanticCustomError(NO_ACCOUNT, "at least one account")
        clashes = name_clashes([account.names for account in accounts])
        if clashes:
            raise PydanticCustomError(NAMES_CLASH, "{clashes}", {"clashes": " ".join(clashes)})
        return accounts

    @field_validator("sink")
    @classmethod
    def _routed(cls, sinks: dict[str, AnySink], info: ValidationInfo) -> dict[str, AnySink]:
        """Each route leads to a sink that there is, and names accounts that there are."""
        names = set(map(name_key, all_names(info.data.get("account", ()))))
        known = ", ".join([*sinks, PYTHON])
        if PYTHON in sinks:
            raise sentence(f"sink.{PYTHON} is a name that means handler.target; expected another name.")
        for number, route in enumerate(info.data.get("route", ())):
            if route.sink not in {*sinks, PYTHON}:
                raise sentence(f"route[{number}].sink is {route.sink!r}; expected the name of a sink: {known}.")
            for account in route.accounts:
                if name_key(account) not in names:
                    raise sentence(f"route[{number}].accounts names {account!r}; expected a name of an account.")
        return sinks
