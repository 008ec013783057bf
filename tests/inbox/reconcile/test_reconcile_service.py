"""The whole service against a simulated EMS: what came in while it was off, or by two ways at once, is handled once."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from soap_handler.ems import OutageKind, SimulatedEms
from soap_handler.faces.base import PATH
from soap_handler.journal import Journal, Selection, Source, State
from soap_handler.settings import (
    DeleteSettings,
    HandlerSettings,
    JournalSettings,
    ReconcileSettings,
    ServerSettings,
    Settings,
)
from tests.inbox.reconcile.reconciling import EMS, account_settings, message, records, store
from tests.support.service import Service
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


def settings(url: str, inbox_url: str, interval: float = 1000.0) -> Settings:
    return Settings(
        server=ServerSettings(port=0, drain_timeout=10),
        journal=JournalSettings(url=SecretStr(url)),
        handler=HandlerSettings(backoff=0.05),
        delete=DeleteSettings(backoff=0.05, backoff_cap=0.2),
        reconcile=ReconcileSettings(interval=interval),
        account=(account_settings(inbox_url),),
    )


@contextmanager
def serving(told: Settings) -> Iterator[Service]:
    before = set(threading.enumerate())
    service = Service(told)
    service.start()
    try:
        yield service
    finally:
        service.stop()
    assert service.drained
    wait_for(lambda: set(threading.enumerate()) <= before)


def handled(service: Service) -> Counter[str]:
    return Counter(notification.key for notification in service.handled)


def done(service: Service) -> int:
    return sum(count for (_, state), count in service.app.journal.counts().items() if state is State.DONE)


def test_what_came_in_while_the_service_was_off_is_handled_once_and_deleted(url: str) -> None:
    """100 messages, whose pushes went nowhere; afterwards the inbox is empty."""
    with SimulatedEms([EMS]) as ems:
        for number in range(100):
            ems.inbox.mailbox.put(message(number))
        with serving(settings(url, ems.inbox_url)) as service:
            wait_for(lambda: done(service) == 100)
            assert ems.counts().inbox == 0
            assert handled(service) == Counter({message(number).key: 1 for number in range(100)})
            [run] = service.app.journal.reconciliations()
            assert (run.tally.inbox, run.tally.recovered) == (100, 100)


def test_what_is_pushed_and_found_at_once_is_handled_once(url: str) -> None:
    """While EMS pushes, the inbox is held against the journal again and again."""
    with SimulatedEms([EMS]) as ems, serving(settings(url, ems.inbox_url, 0.05)) as service:
        for number in range(50):
            ems.push(message(number))  # it is in the inbox, but its push goes nowhere yet
        wait_for(lambda: len(service.handled) > 0)
        ems.handler_url = f"http://127.0.0.1:{service.port}{PATH}"
        for number in range(50, 100):
            ems.push(message(number))
        assert ems.wait_until_quiet(30)
        wait_for(lambda: done(service) == 100)
        assert ems.counts().inbox == 0
        assert set(handled(service).values()) == {1}
        assert len(handled(service)) == 100
        sources = Counter(record.source for record in records(service.app.journal))
        assert sources[Source.INBOX] > 0  # how many came the other way is a matter of the moment


def test_a_delete_that_ems_confirmed_and_did_not_make_is_made_again(url: str) -> None:
    """The message leaves the inbox, and its handler does not run again."""
    told = message(1)
    with SimulatedEms([EMS]) as ems, serving(settings(url, ems.inbox_url, 0.05)) as service:
        ems.inbox.mailbox.put(told)
        wait_for(lambda: done(service) == 1)
        ems.inbox.mailbox.put(told)  # there again, as if it had never been deleted
        wait_for(lambda: ems.counts().deleted == 2)
        wait_for(lambda: done(service) == 1)
        assert handled(service) == Counter({told.key: 1})


def test_a_dead_message_stays_in_the_inbox(url: str) -> None:
    """Until a person sends it round again; then it is handled and deleted."""
    with Journal(url) as journal:
        told = store(journal, 1, State.DEAD)
    with SimulatedEms([EMS]) as ems:
        ems.inbox.mailbox.put(told)
        with serving(settings(url, ems.inbox_url, 0.05)) as service:
            wait_for(lambda: len(service.app.journal.reconciliations()) > 3)
            assert [record.state for record in records(service.app.journal)] == [State.DEAD]
            assert ems.counts().inbox == 1
            service.app.journal.retry(Selection())
            wait_for(lambda: done(service) == 1)
            assert ems.counts().inbox == 0
            assert handled(service) == Counter({told.key: 1})


def test_an_inbox_that_is_down_at_the_start_holds_up_no_push(url: str) -> None:
    """Pushes are handled; what was missed is found once the inbox is back."""
    with SimulatedEms([EMS]) as ems:
        ems.inbox.mailbox.put(message(1))
        ems.inbox.outage(OutageKind.SERVER_ERROR)
        with serving(settings(url, ems.inbox_url, 0.05)) as service:
            ems.handler_url = f"http://127.0.0.1:{service.port}{PATH}"
            ems.push(message(2))
            wait_for(lambda: len(service.handled) == 1)
            ems.inbox.restore()
            wait_for(lambda: done(service) == 2)
    with Journal(url) as journal:
        assert {record.source.value for record in records(journal)} == {"push", "inbox"}
