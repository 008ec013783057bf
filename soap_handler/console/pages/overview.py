"""The overview: the flow from push to delete, what is in the way, and who works. It refreshes itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from flask import current_app, render_template, request

from soap_handler.console.pages.charts import Chart, chart
from soap_handler.console.pages.site import is_fragment, site
from soap_handler.console.parts import parts
from soap_handler.errors import JournalUnavailableError
from soap_handler.journal import questions
from soap_handler.journal.questions.concerns import concerns
from soap_handler.journal.questions.course import INTERVALS, intervals
from soap_handler.sinks.outlook import Outlook, outlooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from soap_handler.console.health import Readiness
    from soap_handler.console.parts import Parts
    from soap_handler.journal.questions import Overview
    from soap_handler.journal.questions.concerns import Concern

LOOKS: Final = "soap_handler.looks"
"""Where an application keeps its :class:`Looks`."""
REFRESH_CHOICES: Final = (5, 15, 60)
KEPT_SECONDS: Final = 1.0
"""So long one look at the journal serves all who look."""
_KEPT_TIMES: Final = 4  # as long as it took: of a large journal, no more than a fifth of one processor is for who looks
_KEPT_LIMIT_SECONDS: Final = 20.0
_QUICK_LOOK_SECONDS: Final = 0.2  # for a new look, where there is a former one
_STALE_SECONDS: Final = 30.0  # a former one that is older tells nothing of the present
_UNANSWERED_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the overview shows."""

    overview: Overview
    charts: tuple[Chart, ...]
    interval: timedelta
    concerns: tuple[Concern, ...]
    destinations: tuple[Outlook, ...]
    readiness: Readiness
    workers: tuple[int, int]
    """How many serve, and how many there are to be."""

    @property
    def span(self) -> float:
        """How many seconds a chart covers."""
        return (self.interval * INTERVALS).total_seconds()


class Looks:
    """The latest look at a journal, for all who look. Thread-safe.

    A look is taken in a thread of its own. One that takes long is not waited for where there is a former one, so that a
    large or a slow journal holds up no page; the page says when it was taken.
    """

    def __init__(self, take: Callable[[], Seen], clock: Callable[[], float] = time.monotonic) -> None:
        self._take = take
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._at = float("-inf")
        self._took = 0.0
        self._under_way: Future[Seen] | None = None

    def latest(self) -> Seen:
        """Return a look that is fresh, or else the former one.

        Raises:
            JournalUnavailableError: the journal is out of reach, or has not answered for too long.
        """
        with self._lock:
            age = self._clock() - self._at
            if self._seen is not None and age <= min(max(KEPT_SECONDS, _KEPT_TIMES * self._took), _KEPT_LIMIT_SECONDS):
                return self._seen
            former = self._seen if age <= _STALE_SECONDS else None
            under_way = self._under_way
            if under_way is None:
                under_way = self._under_way = Future()
                threading.Thread(target=self._look, args=(under_way,), name="console look", daemon=True).start()
        try:
            return under_way.result(_UNANSWERED_SECONDS if former is None else _QUICK_LOOK_SECONDS)
        except FutureTimeoutError as error:
            if former is not None:
                return former
            raise JournalUnavailableError(f"the journal has not answered for {_UNANSWERED_SECONDS:g} s") from error

    def _look(self, under_way: Future[Seen]) -> None:
        began = self._clock()
        try:
            seen = self._take()
        except Exception as error:  # noqa: BLE001 - it is raised where the look is waited for
            with self._lock:
                self._under_way = None
            under_way.set_exception(error)
            return
        with self._lock:
            self._seen, self._at, self._under_way = seen, self._clock(), None
            self._took = self._at - began
        under_way.set_result(seen)


def latest(here: Parts) -> Seen:
    """Return the latest look at the journal."""
    looks: Looks = current_app.extensions.setdefault(LOOKS, Looks(partial(look, here)))
    return looks.latest()


def look(here: Parts) -> Seen:
    """Ask the journal everything."""
    overview = questions.overview(here.journal)
    course = here.journal.read(lambda connection: intervals(connection, overview.at))
    scale = max((*course.stored, *course.handled, *course.deleted))
    charts = (
        chart("stored", course.stored, scale=scale),
        chart("handled", course.handled, scale=scale),
        chart("deleted", course.deleted, scale=scale),
        chart("attempts failed", course.failed, tone="bad"),
    )
    destinations = tuple(outlooks(here.settings, overview.deliveries, here.exposition.open_circuits()))
    return Seen(
        overview,
        charts,
        course.length,
        tuple(concerns(overview)),
        destinations,
        here.health.readiness(),
        here.exposition.workers(),
    )


@site.get("/")
def home() -> str:
    """Show the overview, or what may have changed of it."""
    seen = latest(parts())
    chosen = request.args.get("refresh", type=int)
    refresh = chosen if chosen in REFRESH_CHOICES else None
    template = "overview_live.html" if is_fragment() else "overview.html"
    return render_template(template, seen=seen, now=seen.overview.at, refresh=refresh, choices=REFRESH_CHOICES)
