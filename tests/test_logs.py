from __future__ import annotations

import io
import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
import structlog

from soap_handler import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = ("", *logs.LEAST_LEVELS)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Leave the process's logging as it was."""
    levels = {name: logging.getLogger(name).level for name in LEVELS}
    yield
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.get_name() == logs.HANDLER_NAME]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_is_one_line_of_key_value_without_colours() -> None:
    """Text goes to a file or a pipe as one plain line for each event."""
    out = io.StringIO()
    logs.configure("info", "text", out)
    structlog.get_logger("soap_handler.x").warning("inbox_refused", account="EX1", reason="a b")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:.]+Z \[warning  \] inbox_refused \[soap_handler\.x\] account=EX1 reason='a b'\n",
        out.getvalue(),
    )


def test_a_terminal_gets_colours() -> None:
    """Colours are for terminals only."""
    out = Terminal()
    logs.configure("info", "text", out)
    structlog.get_logger().info("started")
    assert "\x1b[" in out.getvalue()


def test_json_is_one_object_a_line_with_a_utc_time() -> None:
    """JSON events carry time, level, logger, event and their fields."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    structlog.get_logger("soap_handler.x").info("stored", count=3)
    event = json.loads(out.getvalue())
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "stored", "level": "info", "logger": "soap_handler.x", "count": 3}


def test_the_standard_library_goes_the_same_way() -> None:
    """Lines of waitress and others have the same form, their extra fields included."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    logging.getLogger("waitress").info("Serving on %s", "http://127.0.0.1:1", extra={"port": 1})
    event = json.loads(out.getvalue())
    assert (event["event"], event["logger"], event["port"]) == ("Serving on http://127.0.0.1:1", "waitress", 1)


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_masked_at_any_depth(form: str) -> None:
    """A key that sounds like a secret loses its value, whoever logs it."""
    out = io.StringIO()
    logs.configure("info", "json" if form == "json" else "text", out)
    structlog.get_logger().info(
        "x", password="hidden-1", calls=[{"headers": {"Authorization": "hidden-2"}}], Secret="hidden-3"
    )
    logging.getLogger("other").info("y", extra={"api_token": "hidden-4"})
    assert "hidden" not in out.getvalue()
    assert out.getvalue().count("***") == 4


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_do_not_show_local_variables(form: str) -> None:
    """A traceback is logged, but never the values of the variables, which may be passwords."""
    out = io.StringIO()
    logs.configure("info", "json" if form == "json" else "text", out)
    kept = "hidden"
    try:
        int(kept[:0])
    except ValueError:
        structlog.get_logger().exception("broken")
        logging.getLogger("other").exception("broken too")
    assert out.getvalue().count("Traceback") == 2
    assert "hidden" not in out.getvalue()


def test_a_callers_text_cannot_forge_a_line_or_steer_the_terminal() -> None:
    """Control characters are escaped in text, in the event as in the values."""
    out = io.StringIO()
    logs.configure("info", "text", out)
    structlog.get_logger().info("refused", account="EX1\n2026-01-01 [info] done\x1b[2J")
    ours = [each for each in logging.getLogger().handlers if getattr(each, "stream", None) is out]
    ours[0].handle(logging.makeLogRecord({"msg": "one\ntwo \ud83d", "levelno": logging.INFO, "levelname": "INFO"}))
    assert len(out.getvalue().splitlines()) == 2
    assert "\x1b" not in out.getvalue()


def test_configuring_again_replaces_the_handler_and_the_level() -> None:
    """The last call counts, also for loggers that were used before it, and nothing is logged twice."""
    first, second = io.StringIO(), io.StringIO()
    logs.configure("debug", "text", first)
    log = structlog.get_logger("soap_handler.x")
    log.debug("one")
    logs.configure("info", "text", second)
    log.debug("two")
    log.info("three")
    assert "one" in first.getvalue()
    assert "three" not in first.getvalue()
    assert [("two" in second.getvalue()), second.getvalue().count("three")] == [False, 1]


def test_handlers_of_others_stay() -> None:
    """Only our own handler is replaced."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    try:
        logs.configure("info", "text", io.StringIO())
        assert other in logging.getLogger().handlers
    finally:
        logging.getLogger().removeHandler(other)


@pytest.mark.parametrize("name", ["zeep.transports", "urllib3.connectionpool", "sqlalchemy.engine.Engine"])
def test_libraries_that_log_envelopes_stay_quiet(name: str) -> None:
    """At DEBUG some libraries write passwords and bodies; they are heard from WARNING on only."""
    out = io.StringIO()
    logs.configure("debug", "text", out)
    logging.getLogger(name).info("hidden")
    logging.getLogger(name).warning("shown")
    assert "hidden" not in out.getvalue()
    assert "shown" in out.getvalue()


def test_a_quiet_level_quiets_them_too() -> None:
    """A level above WARNING holds for every library."""
    out = io.StringIO()
    logs.configure("error", "text", out)
    logging.getLogger("zeep").warning("hidden")
    assert out.getvalue() == ""
