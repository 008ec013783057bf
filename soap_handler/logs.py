"""Logging of the process: one handler, text or JSON, secrets masked. The list of events is in ``telemetry``."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

import structlog

from soap_handler import telemetry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import EventDict, Processor, WrappedLogger

HANDLER_NAME: Final = "soap_handler"

LEAST_LEVELS: Final = {
    **dict.fromkeys(("zeep", "urllib3", "requests", "sqlalchemy"), logging.WARNING),
    "alembic": logging.WARNING,
    "pika": logging.CRITICAL,
    "waitress.queue": logging.ERROR,
}
"""Least level of library loggers that log too much.

The first four write whole envelopes and statements: passwords, phone numbers, message bodies. alembic logs each step,
pika several lines and a traceback for each failed connection, of which an event tells already.
waitress warns of each request that waits for a thread.
"""

_SECRET: Final = re.compile(r"pass(word|wd|phrase)|secret|authori[sz]ation|credential|token|cookie", re.IGNORECASE)

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def configure(
    level: str,
    format: Literal["text", "json"],  # noqa: A002 - the name of the setting
    stream: TextIO | None = None,
) -> None:
    """Log to ``stream`` (standard error) from ``level`` ("debug", "info", "warning", "error") upwards.

    May be called again with other arguments: the last call counts. Other handlers on the root logger stay.
    """
    stream = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(stream)
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(_formatter(format, colors=stream.isatty()))
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if known.get_name() == HANDLER_NAME]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(threshold)
    for name, least in LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(max(threshold, least))
    _configure_structlog()
    telemetry.subscribe(write)


def write(event: telemetry.Event, fields: Mapping[str, Any]) -> None:
    """Write an event as one line, under a logger named after the room that emitted it."""
    logger = structlog.get_logger(f"soap_handler.{event.room}")
    getattr(logger, event.level)(event.name, **fields)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask the value of every key that looks like a secret, at any depth: defence in depth for the callers of logs."""
    return {key: _masked(key, value) for key, value in event.items()}


def _escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, so that a caller's text cannot forge a second event or control the terminal."""
    return {
        key: _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value)
        if isinstance(value, str) and key not in ("exception", "stack")
        else value
        for key, value in event.items()
    }


def _masked(key: object, value: Any) -> Any:  # noqa: ANN401 - any logged value
    if isinstance(key, str) and _SECRET.search(key):
        return "***"
    if isinstance(value, dict):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(None, item) for item in value]
    return value


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # else a second call would not affect loggers already in use
    )


def _common() -> list[Processor]:
    """Return the processors for every event, of structlog and of the standard library."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(kind: Literal["text", "json"], *, colors: bool) -> logging.Formatter:
    last: list[Processor]
    if kind == "json":
        # format_exc_info, not dict_tracebacks: that one writes local variables, passwords among them
        last = [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer(default=str)]
    else:
        last = [structlog.processors.format_exc_info, mask_secrets, _escape_controls, _console(colors=colors)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_common(), structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _console(*, colors: bool) -> Processor:
    # plain_traceback: with rich installed the default one writes local variables too
    return structlog.dev.ConsoleRenderer(
        colors=colors, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )
