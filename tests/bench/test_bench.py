"""The parts of the benchmark that measure nothing: medians, targets, books, the picture, what is shown."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
from lxml import etree

from soap_handler.faces.base import PATH
from soap_handler.journal import Entry, Journal, Selection, Settlement, State, Step
from soap_handler.notifications import MessageReceived
from tests.bench import books, candidates, compare, load, outcome, picture, processes, receive, targets, whole_way
from tests.bench.load import Api, Load
from tests.support import forms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Service

WARM = Load(requests=100, seconds=1, not_2xx=0, socket_errors=0, p50_ms=1, p99_ms=2)
READING = receive.Reading(
    server=targets.PLAIN,
    api=Api.SOAP,
    connections=8,
    history=0,
    answered=500,
    rate=100.0,
    p50_ms=60.0,
    p99_ms=90.0,
    cpu_us=1000.0,
    memory_mb=36.0,
    refused=0,
    missing=0,
    extra=0,
    dispatched=0.0,
)
OURS = replace(READING, server=targets.ONE, rate=800.0, p99_ms=20.0, cpu_us=180.0, dispatched=0.2)
WHOLE_WAY = whole_way.Reading(
    connections=8,
    history=0,
    plain=100.0,
    rate=250.0,
    worked_off=300.0,
    cpu_us=400.0,
    inbox_us=50.0,
    refused=0,
    missing=0,
)


def verdicts(row: dict[str, Any]) -> dict[str, bool]:
    return {f"{target['figure']} {target['wanted']}": target["met"] for target in row["targets"]}


def full_summary() -> list[dict[str, Any]]:
    """Return rows of every server at every concurrency."""
    return receive.summary(
        [replace(OURS, server=server, connections=number) for number in receive.CONNECTIONS for server in targets.OURS]
        + [replace(READING, connections=number) for number in receive.CONNECTIONS]
        + [replace(READING, connections=number, server=targets.CONSTANT) for number in receive.CONNECTIONS]
    )


# -- the books --------------------------------------------------------------------------------------------------------


def test_what_is_answered_must_be_stored() -> None:
    """Answers without a row are missing; the warming up counts."""
    assert READING.booked(WARM, 600).missing == 0
    assert READING.booked(WARM, 597).missing == 3


def test_rows_that_nobody_asked_for_are_counted() -> None:
    """A row more for each connection, at the end of each push, was under way; what is beyond that is extra."""
    assert READING.booked(WARM, 616).extra == 0
    assert READING.booked(WARM, 617).extra == 1


def test_a_refusal_while_warming_up_is_one() -> None:
    """No answer but 200 is overlooked, measured or not."""
    assert READING.booked(replace(WARM, not_2xx=2, socket_errors=1), 598).refused == 3


def test_of_refusals_none_is_stored() -> None:
    """Where every password is wrong, 200 is the answer that is refused, and every row is one too many."""
    seen = Load(requests=100, seconds=1, not_2xx=98, socket_errors=1, p50_ms=1, p99_ms=2, refusals=True)
    assert (seen.answered, seen.refused) == (98, 3)
    booked = replace(READING, api=Api.REFUSED).booked(seen, 2)
    assert (booked.missing, booked.extra, booked.refused) == (0, 2, 3)


def test_the_books_tell_what_is_received_handled_and_done(tmp_path: Path) -> None:
    """Each count is of one moment in the life of a notification, and of an interval."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    begun = time.time()
    with Journal(url) as journal:
        journal.record_all([Entry(MessageReceived(account="A", id=str(number)), _now()) for number in range(3)])
        first, second = journal.claim(2, timedelta(minutes=1))
        journal.settle(
            [Settlement(each, Step.HANDLE, State.HANDLED, _now(), _now(), _now()) for each in (first, second)]
        )
        journal.settle_deleted(journal.claim_deletions("A", 1))
        assert (books.rows(url, "notification"), books.received(url, begun)) == (3, 3)
        assert books.handled(url, begun, time.time()) == 2
        assert books.handled(url, 0, begun) == 0
        assert books.done(url, begun) == 1
        assert begun <= books.last_done(url) <= time.time()
        with pytest.raises(TimeoutError):
            books.wait_until_done(url, 0)


def test_a_filled_journal_has_nothing_to_do(tmp_path: Path) -> None:
    """What is put in is done, and so young that no purge takes it."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    Journal(url).close()
    books.fill(url, 20)
    with Journal(url) as journal:
        assert all(record.key == record.notification.key for record in journal.records(Selection()))
    assert books.done(url, time.time() - 60) == 20
    books.wait_until_done(url, 0)


def _now() -> datetime:
    return datetime.now(UTC)


# -- the summary and the targets --------------------------------------------------------------------------------------


def test_a_row_is_the_median_of_its_rounds_but_no_refusal_is_lost() -> None:
    """One slow round does not count; one answer that is not 200 does."""
    rounds = [READING, replace(READING, rate=10.0, refused=1), replace(READING, rate=101.0)]
    (row,) = receive.summary(rounds)
    assert (row["rate"], row["refused"], row["ratio"]) == (100.0, 1, 1.0)


def test_targets_are_held_to_the_plain_server_of_the_same_run() -> None:
    """The ratio, the CPU of one process, and the share dispatched, each at its own concurrency."""
    _, row = receive.summary([READING, OURS])
    assert verdicts(row) == {"ratio ≥ 7": True, "cpu_us ≤ 200": True, "dispatched ≥ 0.1": True}
    _, slow = receive.summary([replace(READING, rate=120.0), replace(OURS, cpu_us=201.0, dispatched=0.09)])
    assert set(verdicts(slow).values()) == {False}


def test_the_slowest_hundredth_is_held_to_two_bounds() -> None:
    """At 32 connections: 25 ms, and half of what half of the plain server's answers take."""
    plain, ours = (replace(each, connections=32) for each in (READING, OURS))
    _, row = receive.summary([plain, ours])
    assert verdicts(row)["p99_ms ≤ 25"]
    assert verdicts(row)["p99_ms < 30 (half of plain's p50)"]
    _, quick = receive.summary([replace(plain, p50_ms=40.0), ours])
    assert not verdicts(quick)["p99_ms < 20 (half of plain's p50)"]


def test_servers_that_are_not_ours_have_no_targets() -> None:
    """They are what the targets are measured by."""
    rows = [row for row in full_summary() if row["server"] not in targets.OURS]
    assert rows
    assert not any(row["targets"] for row in rows)


@pytest.mark.parametrize(("api", "bound"), targets.OF_SOAP.items())
def test_other_versions_are_held_to_soap_of_the_same_run(api: Api, bound: float) -> None:
    """In one process, at 8 connections; where SOAP was not measured beside them, there is nothing to hold them to."""
    other = replace(OURS, api=api, rate=bound * OURS.rate)
    _, _, row = receive.summary([READING, OURS, other])
    assert verdicts(row) == {f"of_soap ≥ {bound:g}": True}
    _, _, slow = receive.summary([READING, OURS, replace(other, rate=bound * OURS.rate - 1)])
    assert set(verdicts(slow).values()) == {False}
    (alone,) = receive.summary([other])
    assert (alone["of_soap"], alone["targets"]) == (None, [])


def test_a_form_has_a_yardstick_of_its_own() -> None:
    """Each yardstick is measured with the version that it takes, and the ratio is to that one."""
    chosen = receive.cells([*targets.BESIDE, targets.ONE], [8], [0], 1, [Api.SOAP, Api.FORM, Api.XML])
    assert [(cell.server, cell.api) for cell in chosen] == [
        *targets.BESIDE.items(),
        *((targets.ONE, api) for api in (Api.SOAP, Api.FORM, Api.XML)),
    ]
    flask = replace(READING, server=targets.FLASK, api=Api.FORM, rate=50.0)
    found = receive.summary([flask, replace(OURS, api=Api.FORM), replace(OURS, api=Api.XML)])
    assert [row["ratio"] for row in found] == [1.0, 16.0, None]


def test_every_target_of_a_burst_is_judged_once() -> None:
    """No ratio that is to be reached is forgotten."""
    judged = [
        (row["server"], row["connections"])
        for row in full_summary()
        for target in row["targets"]
        if target["figure"] == "ratio"
    ]
    assert sorted(judged) == sorted(targets.RECEIVE)


def test_the_whole_way_has_targets_at_each_concurrency() -> None:
    """The ratio differs; the rest of a burst is worked off at the rate of the whole way, or faster."""
    few, many = whole_way.summary([WHOLE_WAY, replace(WHOLE_WAY, connections=32, worked_off=200.0)])
    assert verdicts(few) == {"ratio ≥ 2": True, "worked_off ≥ per s": True}
    assert verdicts(many) == {"ratio ≥ 3": False, "worked_off ≥ per s": False}


@pytest.mark.parametrize(
    ("memory", "met"), [([70, 75, 79, 79, 79.5], [True, True]), ([70, 75, 79, 80, 81], [False, False])]
)
def test_memory_is_low_and_flat(memory: list[float], met: list[bool]) -> None:
    """Neither the figure after the last message nor its growth in the last half is above its bound."""
    rows = [{"messages": number, "memory_mb": megabytes} for number, megabytes in enumerate(memory)]
    assert [verdict.met for verdict in targets.growth(rows)] == met


# -- the load ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_the_load_is_as_the_world_is() -> None:
    """Every id is a new random GUID, bodies are of hundreds, and times move: as EMS sends them."""
    with listening() as (url, requests):
        seen = load.push(url, 2, 1)
    messages = [etree.fromstring(request)[1][0] for request in requests]
    assert len(messages) >= seen.requests > 500
    ids = {uuid.UUID(message[0].text) for message in messages}
    assert {each.version for each in ids} == {4}
    assert len(ids) == len(messages)
    assert len({str(each)[:2] for each in ids}) > 200
    bodies = {str(message[3].text) for message in messages}
    assert len(bodies) > 200
    assert all(2 <= len(body.split()) <= 12 for body in bodies)
    assert {message[4].text for message in messages} == {"Text", "Unicode"}
    assert all(str(message[5].text) < str(message[6].text) for message in messages)
    assert len({message[6].text for message in messages}) > 100
    assert len({message[1].text for message in messages}) > 100


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_the_load_of_each_version_is_taken(service: Service) -> None:
    """What is measured is pushes that are stored; and refusals, of which nothing is."""
    url = f"http://127.0.0.1:{service.port}{PATH}"
    with ThreadPoolExecutor(len(Api)) as pool:
        seen = dict(zip(Api, pool.map(lambda api: load.push(url, 1, 1, api), Api), strict=True))
    assert {api: each.refused for api, each in seen.items()} == dict.fromkeys(Api, 0)
    assert all(each.answered > 5 for each in seen.values())
    taken = sum(each.answered for api, each in seen.items() if api is not Api.REFUSED)
    assert taken <= len(list(service.app.journal.records(Selection()))) <= taken + len(Api)


def test_the_yardstick_of_forms_stores_all_seven_values(tmp_path: Path) -> None:
    """It does the work that it is compared by."""
    pytest.importorskip("flask")
    values = {**forms.values(), "password": "s3cret"}
    with processes.script("tests.bench.plain_form", str(tmp_path / "plain.db")) as started:
        assert requests.post(started.url, values, timeout=10).text == "OK"
        assert requests.post(started.url, {**values, "password": "guess"}, timeout=10).status_code == 403
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        rows = connection.execute("SELECT * FROM message").fetchall()
    assert rows == [tuple(forms.FORMS["MessageReceived"].values())]


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """Serve an answer without content, and keep what was asked."""
    requests: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            requests.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", requests
    server.shutdown()
    thread.join()
    server.server_close()


# -- candidates -------------------------------------------------------------------------------------------------------


def test_a_setting_is_for_all_and_a_variant_adds_its_own() -> None:
    """Settings reach the service as variables of its environment."""
    this, other = candidates.chosen(None, ["server.threads=2"], ["few:handler.threads=1,log.level=error"])
    assert (this.name, this.settings) == ("this", {"server.threads": "2"})
    assert other.settings == {"server.threads": "2", "handler.threads": "1", "log.level": "error"}
    assert other.environment()["SOAP_HANDLER_HANDLER__THREADS"] == "1"


@pytest.mark.parametrize(("settings", "variants"), [(["threads=2"], []), (["server.threads"], []), ([], ["server"])])
def test_what_is_no_setting_is_refused(settings: list[str], variants: list[str]) -> None:
    """A slip of the keyboard does not measure something else."""
    with pytest.raises(ValueError, match=r"expected .*section\.name=value"):
        candidates.chosen(None, settings, variants)


def test_another_checkout_comes_first_without_what_it_does_not_know() -> None:
    """The ratios are to it; a setting that is new here is not passed to it."""
    other, this = candidates.chosen(candidates.ROOT, ["server.threads=2", "server.unheard_of=1"], [])
    assert (other.name, other.settings) == ("against", {"server.threads": "2"})
    assert this.settings == {"server.threads": "2", "server.unheard_of": "1"}


def test_pairs_are_of_one_round() -> None:
    """Whatever a round was like, both had it; the order of the two changes from round to round."""
    rates = iter([100.0, 50.0, 20.0, 10.0, 300.0, 600.0])
    said: list[str] = []
    rows = compare.campaign(
        [candidates.Candidate("a"), candidates.Candidate("b")],
        {"burst": lambda _: replace(READING, rate=next(rates), missing=1)},
        3,
        said.append,
    )
    assert said[:4] == ["round 1: burst, a", "round 1: burst, b", "round 2: burst, b", "round 2: burst, a"]
    assert [(row["candidate"], row["pairs"]) for row in rows] == [("a", "1.00 1.00 1.00"), ("b", "0.50 2.00 2.00")]
    assert (rows[1]["ratio"], rows[1]["lowest"], rows[1]["highest"], rows[1]["missing"]) == (2.0, 0.5, 2.0, 3)


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_a_missed_target_is_no_error_but_a_missing_row_is() -> None:
    """Speed differs from machine to machine; a lost message is never right."""
    missed = receive.summary([READING, replace(OURS, rate=1.0)])
    assert not outcome.broken(missed)
    for name in ("refused", "missing", "extra"):
        assert outcome.broken([missed[0] | {name: 1}])


def test_json_and_table_show_the_targets(capsys: pytest.CaptureFixture[str]) -> None:
    """Both say what was wanted, whether it was met, and what was left out."""
    rows, left_out = receive.summary([READING, OURS]), {targets.TWO_POSTGRESQL: "not on this machine"}
    outcome.show(rows, left_out, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"rows": rows, "left_out": left_out}
    outcome.show(rows, left_out, as_json=False)
    shown = capsys.readouterr().out
    assert "ratio ≥ 7: met" in shown
    assert "not on this machine" in shown


def test_the_picture_is_svg_with_a_bar_and_its_figures_for_each_row() -> None:
    """It is well-formed, names every server, and marks each ratio that is to be reached."""
    rows = full_summary()
    root = etree.fromstring(picture.svg(sorted(rows, key=lambda row: int(row["connections"]))))
    name = "{http://www.w3.org/2000/svg}"
    colours = [each.get("fill") for each in root.iter(f"{name}rect")]
    assert root.tag == f"{name}svg"
    assert [colours.count(picture.COLOURS[server]) for server in targets.OURS] == [3, 3, 3]
    assert colours.count(picture.MARK) == len(targets.RECEIVE) + 1  # the legend
    assert sum(str(text.text).endswith("/s") for text in root.iter(f"{name}tspan")) == len(rows)


def test_the_file_system_of_a_folder_is_named() -> None:
    """Where processes are, is no disk."""
    assert processes.file_system("/proc/self") == "proc"
