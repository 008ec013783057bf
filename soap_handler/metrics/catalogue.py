"""The catalogue: the one list of metrics. ``soap-handler docs metrics`` shows it, and the console exposes no other.

A label's value comes from the code, the contract or the configuration, and never from the wire.
"""

from __future__ import annotations

from typing import Final

from soap_handler.metrics.instruments import Counter, Gauge, Histogram, Metric

_FAST_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)

NONE: Final = "none"
"""The value of a label where the request was refused before it was known."""

PUSHES: Final = Counter(
    "soap_handler_pushes",
    ("api", "kind", "result"),
    "Requests that push, by how they were answered.",
    "`stored`, `duplicate` (200); `refused_login`, `refused_unreadable`, `refused_http`, `refused_caller`, "
    "`refused_path` (the caller is wrong); `postponed_journal`, `postponed_login`, `postponed_defect` (EMS retries)",
)
ANSWER_SECONDS: Final = Histogram(
    "soap_handler_answer_seconds",
    ("api",),
    "From the last byte of a push to its answer, its commit included. Refused requests are left out.",
    buckets=_FAST_SECONDS,
)
COMMIT_SECONDS: Final = Histogram(
    "soap_handler_commit_seconds",
    (),
    "How long a transaction of the journal took, with its fsync.",
    buckets=_FAST_SECONDS,
)
COMMIT_PUSHES: Final = Histogram(
    "soap_handler_commit_pushes",
    (),
    "Pushes that shared one transaction (group commit); transactions without a push are left out.",
    buckets=_SIZES,
)
CONNECTIONS: Final = Gauge("soap_handler_connections", (), "Open connections to the public address.")
WRONG_LOGINS: Final = Counter(
    "soap_handler_wrong_logins",
    ("outcome",),
    "Pushes with wrong credentials, by what the login throttle did.",
    "`answered` at once, `delayed`, `unchecked`",
)
ATTEMPTS: Final = Counter(
    "soap_handler_attempts",
    ("sink", "outcome"),
    "Calls of handlers and sinks, by how they ended.",
    "`handled`, `failed`, `refused`, `given_up`, `timed_out`; `paused` and `not_begun` are no attempt of the "
    "notification's; `ignored` has no handler",
)
ATTEMPT_SECONDS: Final = Histogram(
    "soap_handler_attempt_seconds",
    ("sink",),
    "How long a handler or a sink took.",
    buckets=_SLOW_SECONDS,
)
DEAD: Final = Counter("soap_handler_dead", (), "Notifications that became dead: a person must look at them.")
CIRCUIT_OPEN: Final = Gauge(
    "soap_handler_circuit_open",
    ("of", "name"),
    "Workers whose circuit breaker is open: nothing is delivered to the sink, or deleted from the inbox, at present.",
    "`of` is `sink` or `inbox`; `name` is the sink's name or the account's reference",
)
DELETES: Final = Counter(
    "soap_handler_deletes",
    ("account", "outcome"),
    "Messages in delete calls to the EMS inbox.",
    "`deleted` (or gone already), `failed`",
)
RECONCILIATIONS: Final = Counter(
    "soap_handler_reconciliations",
    ("account", "outcome"),
    "Comparisons of an inbox with the journal.",
    "`done`, `failed`",
)
RECOVERED: Final = Counter(
    "soap_handler_recovered", ("account",), "Messages found in the inbox whose push never arrived."
)
WORKER_RESTARTS: Final = Counter("soap_handler_worker_restarts", (), "Worker processes that died and were replaced.")

COUNTED: Final[tuple[Metric, ...]] = (
    PUSHES,
    ANSWER_SECONDS,
    COMMIT_SECONDS,
    COMMIT_PUSHES,
    CONNECTIONS,
    WRONG_LOGINS,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    DEAD,
    CIRCUIT_OPEN,
    DELETES,
    RECONCILIATIONS,
    RECOVERED,
    WORKER_RESTARTS,
)
"""What the workers count."""

BACKLOG: Final = Gauge(
    "soap_handler_backlog",
    ("step", "account"),
    "Notifications that wait, or are being worked on.",
    "`handle`, `delete`; `dead` waits for a person",
)
BACKLOG_OLDEST: Final = Gauge(
    "soap_handler_backlog_oldest_seconds",
    ("step", "account"),
    "For how long the oldest of them has waited: since it was received, or since it was handled.",
    "as of `soap_handler_backlog`",
)
LOGIN_REFUSED: Final = Gauge(
    "soap_handler_inbox_login_refused",
    ("account",),
    "1 while EMS refuses the login of this inbox, so that no call is made.",
)
READY: Final = Gauge("soap_handler_ready", (), "1 where `/health/ready` says ready.")
WORKERS: Final = Gauge("soap_handler_workers", ("status",), "Worker processes.", "`serving`, `draining`")
BUILD: Final = Metric(
    "soap_handler_build", ("version", "python"), "The release that runs; its value is 1.", type="info"
)

ASKED: Final[tuple[Metric, ...]] = (BACKLOG, BACKLOG_OLDEST, LOGIN_REFUSED, READY, WORKERS, BUILD)
"""What the console finds out when it is asked."""

CATALOGUE: Final = {metric.name: metric for metric in (*COUNTED, *ASKED)}
"""Every metric, by name."""
