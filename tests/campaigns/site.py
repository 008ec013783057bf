"""The scene of a campaign: a simulated EMS in this process, services in theirs, and the audit of what became of it."""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from soap_handler.contract import Version
from soap_handler.ems import Counts, Disturbances, EmsAccount, PushSettings, SimulatedEms, believable_notifications
from soap_handler.faces.base import PATH
from soap_handler.faces.xml_push import PATH as PUSH_PATH
from soap_handler.journal import State
from soap_handler.notifications import MessageReceived
from tests.campaigns.books import Books, make_room_for_effects
from tests.campaigns.figures import Figures, PromiseBrokenError, TooLateError
from tests.campaigns.plan import Plan
from tests.campaigns.service import PASSWORD, REFERENCE, USERNAME, Service, configuration, free_port
from tests.campaigns.spelling import both_spellings
from tests.support import fast_path
from tests.support.versions import named_as_in
from tests.support.waiting import pause_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from soap_handler.notifications import Notification
    from tests.campaigns.service import Sections

ACCOUNT: Final = EmsAccount(
    reference=REFERENCE, username=USERNAME, password=PASSWORD, push_username=USERNAME, push_password=PASSWORD
)
PUSHING: Final = PushSettings(concurrency=4, timeout=10, first_retry=0.02, longest_retry=0.3)
QUICK: Final[Sections] = {
    "server": {"drain_timeout": 10},
    "handler": {"timeout": 2, "backoff": 0.05, "backoff_cap": 0.2},  # a lease of four seconds
    "delete": {"backoff": 0.05, "backoff_cap": 0.5, "refused_backoff": 1},
    "reconcile": {"interval": 0},
    "log": {"format": "json"},
}
"""Settings with pauses that fit a campaign. Reconciliation is off where it would hide a loss."""


def _in_turn(each: Sequence[Iterator[Notification]]) -> Iterator[Notification]:
    """Take from each of several without an end, one after the other."""
    return (next(one) for one in itertools.cycle(each))


class Site:
    """A folder, an EMS and one or more services that share a journal. A context manager; its end is an audit."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        figures: Figures,
        api: Version = Version.SOAP,
        plan: Plan | None = None,
        disturbances: Disturbances | None = None,
        pushing: PushSettings = PUSHING,
        sections: Mapping[str, Mapping[str, object]] | None = None,
        journal: str | None = None,
        hosts: int = 1,
        environment: Mapping[str, str] | None = None,
        inbox_port: int | None = None,
        accounts: Sequence[EmsAccount] = (ACCOUNT,),
    ) -> None:
        """``inbox_port`` is where the services call the inbox, when not directly.

        Of several ``accounts`` each notification is for the next one.
        """
        self.folder = folder
        self.figures = figures
        self.journal = journal or f"sqlite:///{folder / 'journal.db'}"
        self.plan = dataclasses.replace(plan or Plan(), diary=str(folder / "diary.txt"), seed=seed)
        self._accounts = [account.reference for account in accounts]
        self.ems = SimulatedEms(accounts, disturbances=disturbances, push_settings=pushing, seed=seed, api=api)
        self._path = PUSH_PATH if api is Version.XML_PUSH else PATH
        self._spelling = both_spellings()
        told = _in_turn([believable_notifications(each, seed=seed) for each in self._accounts])
        self._told = (named_as_in(api, each) for each in told)
        self.told: list[Notification] = []
        self._sections = sections or {}
        port = urlsplit(self.ems.inbox_url).port
        self._inbox_url = self.ems.inbox_url.replace(f":{port}/", f":{inbox_port or port}/")
        variables = {**self.plan.environment(), **(environment or {})}
        self.services = [self._service(number, variables) for number in range(hosts)]

    def _service(self, number: int, variables: Mapping[str, str]) -> Service:
        folder = self.folder / f"host{number}"
        folder.mkdir()
        port = free_port()
        own: Sections = {
            "server": {"port": port, "fast_path": fast_path.chosen()},
            "journal": {"url": self.journal},
            "handler": {"target": "tests.campaigns.handler:handlers"},
        }
        names = {**QUICK, **self._sections, **own}
        merged = {name: {**QUICK.get(name, {}), **self._sections.get(name, {}), **own.get(name, {})} for name in names}
        (folder / "soap-handler.toml").write_text(configuration(merged, self._inbox_url, self._accounts))
        return Service(folder, port, variables)

    @property
    def service(self) -> Service:
        """The first service, which is the only one in most campaigns."""
        return self.services[0]

    # -- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self.plan.transactional:
            make_room_for_effects(self.journal)
        self._spelling.__enter__()
        self.ems.start()
        self.ems.handler_url = self.url_of(self.service.port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            for service in self.services:
                service.close()
        finally:
            self.ems.stop()
            self._spelling.__exit__(None, None, None)
        if error is None or isinstance(error, PromiseBrokenError):
            self.figures.add(self.audit())

    def url_of(self, port: int) -> str:
        """Return where the service at a port takes pushes."""
        return f"http://127.0.0.1:{port}{self._path}"

    def start(self) -> None:
        """Start the first service and wait until it answers."""
        self.service.start()
        self.until(lambda: self.service.answers() or not self.service.running, "the service answers")
        if not self.service.running:
            raise PromiseBrokenError(f"the service ended at its start:\n{self.service.log()}")

    def stop(self) -> None:
        """Stop every service that runs, as an operator would."""
        for service in self.services:
            if service.running:
                self.promise(service.stop() == 0, f"the service ends with 0 at SIGTERM:\n{service.log()}")

    # -- what happens ------------------------------------------------------------------------------------------------

    def tell(self, count: int) -> list[Notification]:
        """Let so many notifications happen at EMS."""
        new = self.invent(count)
        self.ems.push_all(new)
        return new

    def invent(self, count: int) -> list[Notification]:
        """Return notifications that are to happen."""
        new = list(itertools.islice(self._told, count))
        self.told += new
        return new

    @property
    def acknowledged(self) -> set[str]:
        """The keys of what EMS was answered with 200 so far."""
        return set(self.ems.acknowledged())

    @property
    def counts(self) -> Counts:
        """What EMS counted so far."""
        return self.ems.counts()

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60, every: float = 0.0) -> None:
        """Wait until it is so, looking ``every`` so many seconds, or more seldom.

        Raises:
            TooLateError: it was not so in time.
        """
        begun = time.monotonic()
        while not condition():
            waited = time.monotonic() - begun
            if waited > seconds:
                raise TooLateError(f"not within {seconds:g} s: {what}\n{self.report()}")
            time.sleep(max(every, pause_after(waited)))

    def promise(self, kept: object, what: str) -> None:
        """Note a broken promise, and go on."""
        if not kept:
            self.figures.broken.append(what)

    def settle_down(self, seconds: float = 60) -> None:
        """Wait until EMS has nothing left to push or in its inbox, and the journal nothing to do."""
        self.until(lambda: not self.counts.waiting, "everything is acknowledged", seconds)
        self.until(lambda: not self.counts.inbox, "the inbox is empty", seconds)
        self.until(
            lambda: set(self.books().states) <= {State.DONE, State.DEAD}, "everything is done", seconds, every=0.2
        )

    # -- what became of it -------------------------------------------------------------------------------------------

    @property
    def gone(self) -> set[int]:
        """The processes that did not end of their own accord."""
        return set().union(*(service.gone for service in self.services))

    def books(self) -> Books:
        """Return the books as they are now. Whatever the moment, all that count the states must agree on them."""
        books = Books(self.journal, self.folder / "diary.txt", transactional=self.plan.transactional)
        self.promise(not books.seen_differently, f"status and journal count alike: {books.seen_differently[:5]}")
        return books

    def audit(self) -> Figures:
        """Hold EMS, the journal and the handler's diary against each other."""
        books, counts = self.books(), self.counts
        told = {notification.key: notification for notification in self.told}
        messages = {key for key, one in told.items() if isinstance(one, MessageReceived)}
        owed = self.acknowledged | messages
        kept = owed if self.plan.purge_every else books.records.keys()
        missing = owed - (books.handled & kept)
        found = Figures(
            campaign=self.figures.campaign,
            pushed=len(told),
            acknowledged=len(self.acknowledged),
            handled=len(books.handled),
            handled_twice=len(books.handled_twice),
            deleted=counts.deleted,
            missing=len(missing),
        )
        lost = self.acknowledged - kept
        found.broken = [what for what, wrong in self._judged(books, counts, missing, lost, len(messages)) if wrong]
        if self.plan.transactional:
            found.special["doubled"] = len(books.doubled)
        return found

    def _judged(
        self, books: Books, counts: Counts, missing: set[str], lost: set[str], messages: int
    ) -> Iterator[tuple[str, object]]:
        unexcused = books.unexcused(self.gone)
        yield f"{len(missing)} are missing: acknowledged or in the inbox, and not handled to the end", missing
        yield f"{len(lost)} were acknowledged and are not in the journal", lost
        such = [books.story(key) for key in unexcused[:3]]
        yield f"{len(unexcused)} were handled twice though no kill was the reason, such as {such}", unexcused
        yield f"the effect of {len(books.doubled)} is there more than once", books.doubled
        yield f"{books.states[State.DEAD]} are dead", books.states[State.DEAD]
        yield f"{counts.inbox} messages are still in the inbox", counts.inbox
        yield f"{counts.deleted} messages were deleted, of {messages}", counts.deleted != messages
        rest = sum(count for state, count in books.states.items() if state not in {State.DONE, State.DEAD})
        yield f"{rest} are neither done nor dead", rest
        strangers = books.records.keys() - {notification.key for notification in self.told}
        yield f"{len(strangers)} are in the journal that EMS knows nothing of", strangers

    def report(self) -> str:
        """Say what EMS counted, how its last calls failed, and what the services logged last."""
        failures = sorted({delivery.last_failure for delivery in self.ems.waiting()})
        logs = "\n".join(service.log() for service in self.services)
        return f"{self.counts}\nlast failures: {failures}\n{logs}"
