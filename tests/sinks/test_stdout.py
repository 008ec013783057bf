"""The ready-made handlers."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Never

import pytest

from soap_handler.dispatch.handlers import load
from soap_handler.errors import SinkDownError
from soap_handler.notifications import (
    FailureReason,
    Kind,
    MessageError,
    MessageEvent,
    MessageReceived,
    Notification,
    SubscriptionEvent,
    from_dict,
)
from soap_handler.sinks.stdout import TARGET

WHEN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

TOLD: list[Notification] = [
    MessageReceived(account="EX0000001", id="1", originator="SHOP", body="two\nlines \0 \ud83d 🚌", received_at=WHEN),
    MessageEvent(account="EX0000001", id="2", occurred_at=WHEN),
    MessageError(account="EX0000001", id="3", failure_reason=FailureReason(27, "off", permanent_failure=False)),
    SubscriptionEvent(account="EX0000001", mobile_number="447700900001"),
]


def write(notification: Notification) -> None:
    function = load(TARGET).get(notification.kind)
    assert function is not None
    function(notification)


@pytest.mark.parametrize("told", TOLD, ids=lambda told: str(told.kind))
def test_the_log_sink_writes_one_line_of_json(told: Notification, capsys: pytest.CaptureFixture[str]) -> None:
    """One notification, one line, from which the notification can be had back; line breaks in it are no line breaks."""
    write(told)
    (line,) = capsys.readouterr().out.splitlines()
    values = json.loads(line)
    assert line.isascii()
    assert (values["kind"], values["key"]) == (told.kind, told.key)
    assert from_dict(Kind(values["kind"]), values) == told


def test_lines_of_several_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is a line, however many threads write."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, TOLD * 100))
    lines = capsys.readouterr().out.splitlines()
    assert len([json.loads(line) for line in lines]) == 400


class _Closed:
    """A standard output whose reader has gone."""

    def write(self, _: str) -> Never:
        raise BrokenPipeError


def test_a_line_that_could_not_be_written_is_not_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its reader is gone, the notification is tried again later."""
    monkeypatch.setattr(sys, "stdout", _Closed())
    with pytest.raises(SinkDownError):
        write(TOLD[0])
