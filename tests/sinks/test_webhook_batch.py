"""Batches of the web hook: a JSON array for all that wait, answered as one. Who waits is in test_batches.py."""

from __future__ import annotations

import json
import time
from contextlib import closing
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.dispatch.breaker import FAILURES_TO_OPEN, Breaker
from soap_handler.dispatch.failure import failure_of
from soap_handler.errors import RetryLater, SinkDownError, SinkRefusedError
from soap_handler.journal import State
from soap_handler.journal.records import Selection
from soap_handler.settings.sinks import WebhookSettings
from soap_handler.sinks.base import for_each
from soap_handler.sinks.form import cloud_event, form
from soap_handler.sinks.webhook import Webhook
from tests.sinks.deliveries import ALL_KINDS, received
from tests.sinks.test_routes import Running, message, routed
from tests.sinks.test_webhook import Endpoint, endpoint, webhook
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from soap_handler.sinks.base import Delivery

BATCH = {"batch": 10, "concurrency": 1}


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    """Return an endpoint that takes everything."""
    with endpoint() as found:
        yield found


def numbered(count: int, bad: int = -1) -> list[Delivery]:
    return [received(f"m{number}", "bad" if number == bad else "good") for number in range(count)]


def test_several_go_in_one_request(hook: Endpoint) -> None:
    """An array, in their order, of each as it is alone; even a lone one is an array."""
    with webhook(hook.url, **BATCH) as sink:
        sink.deliver(received("first"))
        assert sink.deliver_all(ALL_KINDS) == [None] * len(ALL_KINDS)
    assert hook.bodies == [[form(received("first"))], [form(each) for each in ALL_KINDS]]
    headers = hook.requests[1][0]
    assert headers["webhook-id"].startswith("batch/")
    assert headers["idempotency-key"] == f'"{headers["webhook-id"]}"'


def test_cloud_events_have_the_media_type_of_batches(hook: Endpoint) -> None:
    """CloudEvents calls it the JSON batch format."""
    with webhook(hook.url, format="cloudevents", **BATCH) as sink:
        sink.deliver(received())
    assert hook.bodies == [[cloud_event(received())]]
    assert hook.requests[0][0]["content-type"] == "application/cloudevents-batch+json"


def test_of_a_refused_batch_each_goes_alone(hook: Endpoint) -> None:
    """So that one that is refused is blamed alone, and the others are delivered in the same attempt."""
    hook.answer = lambda body: (422, {}) if b'"bad"' in body else (204, {})
    with webhook(hook.url, **BATCH) as sink:
        errors = sink.deliver_all(numbered(4, bad=2))
    assert [type(error) for error in errors] == [NoneType, NoneType, SinkRefusedError, NoneType]
    assert [len(body) for body in hook.bodies] == [4, 1, 1, 1, 1]


def test_a_failure_is_that_of_all_and_counts_once(hook: Endpoint) -> None:
    """One answer of HTTP 500 to a batch is one failure of the destination."""
    hook.answer = lambda _: (500, {})
    with webhook(hook.url, **BATCH) as sink:
        failed = [error for error in sink.deliver_all(numbered(8)) if error is not None]
    assert len(failed) == 8
    breaker = Breaker("crm")
    for error in failed:
        failure_of(error, breaker)
    for _ in range(FAILURES_TO_OPEN - 2):
        breaker.failed("HTTP 500")
    assert breaker.is_closed
    breaker.failed("HTTP 500")
    assert not breaker.is_closed


def test_an_outage_in_the_midst_of_single_ones_is_that_of_the_rest(hook: Endpoint) -> None:
    """What was answered before counts."""
    answers: Iterator[tuple[int, dict[str, str]]] = iter([(422, {}), (204, {}), (503, {})])
    hook.answer = lambda _: next(answers)
    with webhook(hook.url, **BATCH) as sink:
        errors = sink.deliver_all(numbered(4))
    assert [type(error) for error in errors] == [NoneType, SinkDownError, SinkDownError, SinkDownError]


def test_a_pause_that_is_asked_for_holds_for_the_batch() -> None:
    """``Retry-After`` opens the breaker, whichever delivery tells of it first."""
    for error in for_each(SinkDownError("HTTP 503", 60.0), 3):
        breaker = Breaker("crm")
        assert breaker.failed(str(error), error.after, is_echo=error.is_echo)
        assert breaker.open_for() > 0
    assert FAILURES_TO_OPEN > 1


def test_a_service_delivers_in_batches(tmp_path: Path, hook: Endpoint) -> None:
    """One of a hundred is refused and dead; the others arrive once, and in far fewer requests."""
    hook.answer = lambda body: (422, {}) if b'"bad"' in body else (204, {})
    hook.delay = 0.02
    sink = {"type": "webhook", "url": hook.url, "batch": 25, "concurrency": 2, "refusals_allowed": 1}
    service = Running(routed(tmp_path, [{"sink": "crm"}], {"crm": sink}))
    try:
        service.receive(message(0, "bad"), *(message(number) for number in range(1, 100)))
        wait_for(lambda: service.counts() == {"done": 99, "dead": 1})
        (dead,) = service.app.journal.records(Selection(state=State.DEAD))
        assert getattr(dead.notification, "id", "") == "m0"
    finally:
        service.stop()
    taken = [each["id"] for body in hook.bodies if "bad" not in json.dumps(body) for each in body]
    assert sorted(taken) == sorted(f"m{number}" for number in range(1, 100))
    assert len(hook.requests) < 80
    assert hook.connections <= 2  # whichever thread makes the request


def test_no_delivery_is_given_up_while_its_batch_goes_on(hook: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be sent after that, and once more: a slow endpoint that refuses takes the longest that there is."""
    now = [100.0]
    settings = WebhookSettings(type="webhook", url=SecretStr(hook.url), timeout=10.0, batch=10, concurrency=1)

    def refuse(_: bytes) -> tuple[int, dict[str, str]]:
        now[0] += 0.99 * settings.timeout
        return 400, {}

    hook.answer = refuse
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time, time_ns=time.time_ns)
    monkeypatch.setattr("soap_handler.sinks.webhook.time", clock)
    with closing(Webhook(settings)) as sink:
        errors = sink.deliver_all([received(body=f"{number}") for number in range(10)])
    assert {type(error) for error in errors} == {SinkRefusedError, RetryLater}
    assert now[0] - 100.0 <= settings.longest


def test_the_number_of_notifications_under_way_has_a_bound() -> None:
    """All that are in batches are leased at once."""
    with pytest.raises(ValueError, match="at most 1000"):
        WebhookSettings.model_validate({"type": "webhook", "url": "http://x/", "batch": 500, "concurrency": 4})
