"""What the console exposes is what happened: counted by the workers, asked of the journal, in both formats."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Final

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from soap_handler.metrics.catalogue import CATALOGUE
from tests.console.asking import console_of, get, with_console
from tests.support.service import Service, serving
from tests.support.waiting import wait_for
from tests.support.wire import OTHER_REFERENCE, PASSWORD, PATH, REFERENCE, message, post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from tests.support.fast_path import FastPath

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    fast_path: FastPath,  # noqa: ARG001 - it comes first
) -> Iterator[Service]:
    """Run a service with a console, for all tests of this file: counters are compared before and after."""
    with serving(with_console(tmp_path_factory.mktemp("console"))) as service:
        yield service


def read_openmetrics(text: str) -> list[Metric]:
    """Return the families of a page, read by prometheus-client's own strict parser."""
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call] # it has no types


def scraped(service: Service) -> Samples:
    """Return the samples of one scrape, by name and labels."""
    _, _, text = get(console_of(service), "/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read_text(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"soap_handler_{name}", frozenset(labels.items())), 0.0)


def grown(service: Service, before: Samples, name: str, **labels: str) -> float:
    return value(scraped(service), name, **labels) - value(before, name, **labels)


def test_pushes_are_counted_by_their_result(shared: Service) -> None:
    """A new one, its copy, a wrong password, no SOAP, a path of no version: each has its own result."""
    before = scraped(shared)
    body = message(id=str(uuid.uuid4()))
    assert shared.post(body).confirms
    assert shared.post(body).confirms
    shared.post(message().replace(PASSWORD.encode(), b"guessed"))
    shared.post(b"<no-soap/>")
    post(shared.port, body, path="/nothing/here")
    for kind, result, api in (
        ("MessageReceived", "stored", "soap"),
        ("MessageReceived", "duplicate", "soap"),
        ("none", "refused_login", "soap"),
        ("none", "refused_unreadable", "soap"),
        ("none", "refused_path", "none"),
    ):
        assert grown(shared, before, "pushes_total", api=api, kind=kind, result=result) == 1, result
    assert grown(shared, before, "wrong_logins_total", outcome="answered") == 1
    assert grown(shared, before, "answer_seconds_count", api="soap") == 2
    assert grown(shared, before, "commit_pushes_sum") == 2
    assert grown(shared, before, "commit_seconds_count") >= 2


def test_a_form_is_counted_as_one(shared: Service) -> None:
    """The label is the version of the API that read it, not the path."""
    before = scraped(shared)
    shared.post(b"notificationType=nonsense", "Content-Type: application/x-www-form-urlencoded", path=f"{PATH}.aspx")
    assert grown(shared, before, "pushes_total", api="form_post", kind="none", result="refused_unreadable") == 1


def test_attempts_are_counted_by_sink(shared: Service) -> None:
    """The customer's handlers are the sink ``python``."""
    before = scraped(shared)
    shared.take(message(id=str(uuid.uuid4())))
    wait_for(lambda: grown(shared, before, "attempts_total", sink="python", outcome="handled") == 1)
    assert grown(shared, before, "attempt_seconds_count", sink="python") == 1


def test_both_formats_say_the_same(shared: Service) -> None:
    """OpenMetrics where the Accept header asks for it, which its own strict parser reads; else the text format."""
    status, content_type, text = get(console_of(shared), "/metrics", Accept=OPENMETRICS)
    assert (status, content_type.partition(";")[0]) == (200, "application/openmetrics-text")
    _, plain, other = get(console_of(shared), "/metrics")
    assert plain.startswith("text/plain")
    assert [family.name for family in read_openmetrics(text)] == [
        family.name.removesuffix("_total").removesuffix("_info") for family in read_text(other)
    ]


def test_what_is_exposed_is_in_the_catalogue(shared: Service) -> None:
    """Each metric with its labels; none is missing, even where nothing has been counted yet."""
    _, _, text = get(console_of(shared), "/metrics", Accept=OPENMETRICS)
    families = {family.name: family for family in read_openmetrics(text)}
    assert families.keys() == CATALOGUE.keys()
    for name, family in families.items():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(CATALOGUE[name].labels)
        assert family.documentation == CATALOGUE[name].meaning


def test_no_label_is_from_the_wire(shared: Service) -> None:
    """Account names, paths and kinds that a caller makes up are counted, and not repeated."""
    marker = "made-up-by-the-caller"
    shared.post(message().replace(REFERENCE.encode(), marker.encode()))
    post(shared.port, message(), path=f"/{marker}")
    shared.post(message().replace(b"MessageReceived", marker.encode()))
    assert marker not in get(console_of(shared), "/metrics")[2]


def test_each_account_has_a_backlog(shared: Service) -> None:
    """What waits is told for each configured account and step, 0 included: an alert can tell none from unknown."""
    samples = scraped(shared)
    for account in (REFERENCE, OTHER_REFERENCE):
        for step in ("handle", "delete", "dead"):
            key = ("soap_handler_backlog", frozenset({"step": step, "account": account}.items()))
            assert samples[key] == 0
    assert value(samples, "ready") == 1
    assert value(samples, "workers", status="serving") == 1


def test_histograms_are_cumulative(shared: Service) -> None:
    """Each bucket holds the smaller ones, and the last one all."""
    assert shared.post(message(id=str(uuid.uuid4()))).confirms
    samples = scraped(shared)
    buckets = sorted(
        (float(dict(labels)["le"]), number)
        for (name, labels), number in samples.items()
        if name == "soap_handler_commit_seconds_bucket"
    )
    counts = [number for _, number in buckets]
    assert counts == sorted(counts)
    assert buckets[-1] == (math.inf, value(samples, "commit_seconds_count"))
    assert value(samples, "commit_seconds_sum") > 0
