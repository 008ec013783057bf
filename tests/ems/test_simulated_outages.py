"""Each outage of the inbox looks on the wire as it is named, and ends when it should."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests
from zeep.exceptions import Error as ZeepError

from soap_handler.ems import Disturbances, InboxService, OutageKind
from tests.ems.conftest import ACCOUNT, HEADER, ZeepFor
from tests.ems.test_inbox_operations import FIRST, message
from tests.support.waiting import wait_for

SEEN_BY_REQUESTS = [
    (OutageKind.SERVER_ERROR, (500, "text/plain", True)),
    (OutageKind.HTML, (200, "text/html", True)),
    (OutageKind.EMPTY, (200, "text/xml; charset=utf-8", False)),
]


def post(inbox: InboxService, timeout: float = 5.0) -> requests.Response:
    return requests.post(inbox.url, data="<x/>", headers={"Content-Type": "text/xml"}, timeout=timeout)


@pytest.mark.parametrize(("kind", "seen"), SEEN_BY_REQUESTS)
def test_wrong_answers_are_what_they_are_called(
    inbox: InboxService, kind: OutageKind, seen: tuple[int, str, bool]
) -> None:
    """A server error, an HTML page and an empty answer come as such."""
    inbox.outage(kind)
    answer = post(inbox)
    assert (answer.status_code, answer.headers["Content-Type"], bool(answer.content)) == seen


def test_a_reset_is_a_reset(inbox: InboxService) -> None:
    """The connection is not closed politely but reset."""
    inbox.outage(OutageKind.RESET)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        post(inbox)


def test_a_timeout_never_answers(inbox: InboxService) -> None:
    """The caller waits as long as it likes."""
    inbox.outage(OutageKind.TIMEOUT)
    with pytest.raises(requests.ReadTimeout):
        post(inbox, timeout=0.2)


def test_restoring_ends_the_wait_of_callers(inbox: InboxService) -> None:
    """A caller that hangs in a timeout is cut off when the outage ends, even if it was the last call it struck."""
    inbox.outage(OutageKind.TIMEOUT, calls=1)
    failures: list[requests.ConnectionError] = []

    def call() -> None:
        try:
            post(inbox, timeout=30)
        except requests.ConnectionError as failure:
            failures.append(failure)

    caller = threading.Thread(target=call)
    caller.start()
    wait_for(lambda: inbox.current_outage is None)
    inbox.restore()
    caller.join(5)
    assert len(failures) == 1


def test_a_caller_that_hung_up_needs_no_reset(
    inbox: InboxService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the outage ends after its caller has gone, there is no connection left to reset, and nothing fails."""
    monkeypatch.setattr("soap_handler.ems.outages.POLL_SECONDS", 60)
    inbox.outage(OutageKind.TIMEOUT)
    with pytest.raises(requests.ReadTimeout):
        post(inbox, timeout=0.1)
    wait_for(lambda: not inbox.connections)
    inbox.restore()
    inbox.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_slow_inbox_answers_late_but_rightly(zeep_for: ZeepFor) -> None:
    """Slow is not wrong."""
    with InboxService([ACCOUNT], disturbances=Disturbances(slow=0.3)) as inbox:
        inbox.mailbox.put(message(FIRST))
        inbox.outage(OutageKind.SLOW)
        started = time.monotonic()
        zeep_for(inbox.url).DeleteMessage(id=FIRST, _soapheaders=HEADER)
        assert time.monotonic() - started >= 0.3
        assert inbox.deleted == 1


def test_a_lost_answer_was_carried_out(inbox: InboxService, zeep_for: ZeepFor) -> None:
    """The delete happened although the caller never hears of it."""
    inbox.mailbox.put(message(FIRST))
    inbox.outage(OutageKind.LOST_ANSWER)
    with pytest.raises(requests.ConnectionError):
        zeep_for(inbox.url).DeleteMessage(id=FIRST, _soapheaders=HEADER)
    assert inbox.deleted == 1


@pytest.mark.parametrize("kind", [kind for kind in OutageKind if kind is not OutageKind.LOST_ANSWER])
def test_no_other_outage_deletes(zeep_for: ZeepFor, kind: OutageKind) -> None:
    """What fails was not carried out; a slow answer is the one that comes after all."""
    with InboxService([ACCOUNT], disturbances=Disturbances(slow=0.01)) as inbox:
        inbox.mailbox.put(message(FIRST))
        inbox.outage(kind, calls=1)
        failed = outcome(inbox, zeep_for) is not None
        assert failed is (kind is not OutageKind.SLOW)
        assert inbox.deleted == (0 if failed else 1)


def outcome(inbox: InboxService, zeep_for: ZeepFor) -> Exception | None:
    proxy: Any = zeep_for(inbox.url)
    if inbox.current_outage is OutageKind.TIMEOUT:
        threading.Timer(0.1, inbox.restore).start()
    try:
        proxy.DeleteMessage(id=FIRST, _soapheaders=HEADER)
    except (requests.RequestException, ZeepError, AttributeError) as error:  # zeep trips over an HTML page
        return error
    return None


def test_an_outage_may_strike_a_number_of_calls(inbox: InboxService) -> None:
    """After so many calls the inbox works again by itself."""
    inbox.outage("html", calls=2)
    types = [post(inbox).headers["Content-Type"] for _ in range(3)]
    assert types == ["text/html", "text/html", "text/xml; charset=utf-8"]


def test_an_outage_lasts_until_it_is_restored(inbox: InboxService) -> None:
    """Without a number it strikes every call."""
    inbox.outage("server_error")
    assert [post(inbox).headers["Content-Type"] for _ in range(4)] == ["text/plain"] * 4
    inbox.restore()
    assert post(inbox).headers["Content-Type"].startswith("text/xml")


def outages_of(seed: int) -> list[str]:
    ordered = Disturbances(inbox_outages=0.4, outage_kinds=(OutageKind.HTML, OutageKind.SERVER_ERROR))
    with InboxService([ACCOUNT], disturbances=ordered, seed=seed) as inbox:
        return [post(inbox).headers["Content-Type"] for _ in range(20)]


def test_outages_by_share_are_repeatable() -> None:
    """The same seed strikes the same calls with the same kinds; another seed strikes others."""
    first = outages_of(7)
    assert first == outages_of(7)
    assert first != outages_of(8)
    assert len(set(first)) == 3


def test_the_wsdl_is_there_during_an_outage(inbox: InboxService) -> None:
    """Outages strike calls, not the description of the service."""
    inbox.outage("html")
    assert requests.get(f"{inbox.url}?wsdl", timeout=5).headers["Content-Type"].startswith("text/xml")
