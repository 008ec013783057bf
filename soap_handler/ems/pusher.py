"""Retry queue of the simulated EMS: notifications are pushed until they are acknowledged, and counted."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soap_handler import telemetry
from soap_handler.contract import Version
from soap_handler.ems.caller import AnswerLostError, HandlerCaller
from soap_handler.ems.disturbances import Disturbances, PushPlan, plan_push
from soap_handler.ems.versions import PushError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from soap_handler.ems.accounts import EmsAccount
    from soap_handler.notifications import Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """How EMS pushes. Times are in seconds.

    Of the vendor's schedule it is only known that it ends after 72 hours (contract, section 1). Here the delay doubles
    from ``first_retry`` up to ``longest_retry``; both are short, to keep tests short.
    """

    concurrency: int = 4
    timeout: float = 10.0
    first_retry: float = 0.05
    longest_retry: float = 2.0
    give_up_after: float = 72 * 3600.0
    ca_bundle: Path | None = None
    """Roots to trust beside the well-known ones."""

    def retry_in(self, failures: int) -> float:
        """Return how long to wait after this many failures in a row (at least 1)."""
        return min(self.longest_retry, self.first_retry * 2.0 ** min(failures - 1, 32))


@dataclass(slots=True)
class Delivery:
    """State of one notification that is being pushed."""

    account: EmsAccount
    notification: Notification
    plan: PushPlan
    key: str
    begun: float = field(default_factory=time.monotonic)
    due: float = 0.0
    """When to send it next, on the monotonic clock."""
    sends: int = 0
    failures: int = 0
    acknowledged: bool = False
    last_failure: str = ""


class Pusher:
    """Pool of ``settings.concurrency`` threads that send due deliveries, from :meth:`start` to :meth:`stop`.

    Nothing is sent before ``url`` is set. ``before_send`` is called before every attempt. ``api`` is the version of the
    API that it speaks.
    """

    def __init__(
        self,
        settings: PushSettings,
        disturbances: Disturbances,
        rng: Random,
        before_send: Callable[[Notification], None] = lambda _: None,
        api: Version = Version.SOAP,
    ) -> None:
        self._settings = settings
        self.disturbances = disturbances
        """Faults to inject into notifications that are queued from now on."""
        self._rng = rng
        self._before_send = before_send
        self._api = api
        self._changed = threading.Condition()
        self._url: str | None = None
        self._due: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._sending = 0
        self._stopping = False
        self._tally: Counter[str] = Counter()
        self._pushed: set[str] = set()
        self._sent: set[str] = set()
        self._acknowledged: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str | None:
        """Where the Account Event Handler listens."""
        return self._url

    @url.setter
    def url(self, url: str | None) -> None:
        with self._changed:
            self._url = url
            self._changed.notify_all()

    def push(self, account: EmsAccount, notification: Notification) -> None:
        """Queue a notification. It is sent until it is acknowledged, and again if its plan has a duplicate."""
        with self._changed:
            plan = plan_push(self.disturbances, self._rng)
            delivery = Delivery(account, notification, plan, notification.key)
            self._pushed.add(delivery.key)
            self._schedule(delivery, plan.due(time.monotonic(), self.disturbances.burst_every))

    def tally(self) -> dict[str, int]:
        """Return the counters, by name."""
        with self._changed:
            distinct = {"pushed": len(self._pushed), "acknowledged": len(self._acknowledged)}
            return {**self._tally, **distinct, "waiting": len(self._due) + self._sending}

    def acknowledged(self) -> dict[str, int]:
        """Return the key of each notification that was answered with 200, and when it first was.

        The times are nanoseconds of the monotonic clock.
        """
        with self._changed:
            return dict(self._acknowledged)

    def waiting(self) -> list[Delivery]:
        """Return the queued deliveries, soonest first, without those that are being sent."""
        with self._changed:
            return [delivery for _, _, delivery in sorted(self._due, key=lambda entry: entry[:2])]

    def wait_until_quiet(self, timeout: float) -> bool:
        """Wait until the queue is empty, at most ``timeout`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._sending, timeout)

    def start(self) -> None:
        """Begin to send."""
        names = (f"ems-pusher-{number}" for number in range(self._settings.concurrency))
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the calls in flight and end the threads; queued deliveries stay unsent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with HandlerCaller(self._settings.timeout, self._api, self._settings.ca_bundle) as caller:
            while (taken := self._take()) is not None:
                url, delivery = taken
                failure = self._send(caller, url, delivery)
                self._settle(delivery, failure)

    def _take(self) -> tuple[str, Delivery] | None:
        """Wait for a due delivery, and take it from the queue; ``None`` means stop."""
        with self._changed:
            while not self._stopping:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if self._url is not None and wait is not None and wait <= 0:
                    delivery = heapq.heappop(self._due)[2]
                    delivery.sends += 1
                    self._sending += 1
                    return self._url, delivery
                self._changed.wait(wait if self._url is not None else None)
            return None

    def _send(self, caller: HandlerCaller, url: str, delivery: Delivery) -> PushError | None:
        self._before_send(delivery.notification)
        try:
            caller.call(
                url,
                delivery.account,
                delivery.notification,
                lose_answer=delivery.plan.lose_answer and delivery.sends == 1,
                upper_case_id=delivery.plan.upper_case_id,
            )
        except PushError as failure:
            return failure
        return None

    def _settle(self, delivery: Delivery, failure: PushError | None) -> None:
        """Count an attempt, and requeue the delivery if needed."""
        with self._changed:
            self._sending -= 1
            self._tally["sends"] += 1
            self._tally["duplicates"] += delivery.key in self._sent
            self._sent.add(delivery.key)
            if failure is None:
                self._succeeded(delivery)
            else:
                self._failed(delivery, failure)
            self._changed.notify_all()

    def _succeeded(self, delivery: Delivery) -> None:
        self._acknowledged.setdefault(delivery.key, time.monotonic_ns())
        delivery.failures = 0
        if delivery.plan.duplicate and not delivery.acknowledged:
            self._schedule(delivery, time.monotonic() + self._settings.first_retry)
        delivery.acknowledged = True

    def _failed(self, delivery: Delivery, failure: PushError) -> None:
        delivery.failures += 1
        delivery.last_failure = str(failure)
        self._tally["lost_answers"] += isinstance(failure, AnswerLostError)
        now = time.monotonic()
        if now - delivery.begun < self._settings.give_up_after:
            self._schedule(delivery, now + self._settings.retry_in(delivery.failures))
            return
        self._tally["given_up"] += 1
        telemetry.emit("push_given_up", kind=str(delivery.notification.kind), sends=delivery.sends, reason=str(failure))

    def _schedule(self, delivery: Delivery, due: float) -> None:
        delivery.due = due
        heapq.heappush(self._due, (due, next(self._order), delivery))
        self._changed.notify_all()  # notify() might wake only a thread that waits for an empty queue
