"""The wall clock steps while the service works: by seconds, an hour and days, on one host and on two that differ."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from soap_handler.ems import Disturbances
from tests.campaigns.figures import SkippedError
from tests.campaigns.plan import Plan
from tests.campaigns.postgresql import PostgreSQL
from tests.campaigns.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.run import Run
    from tests.campaigns.service import Service
    from tests.campaigns.site import Site

HOUR, DAY = 3600, 86400
STEPS: Final = (HOUR, -HOUR, -5, 2 * DAY, 0, 5, -60, 40 * DAY, 0, 60, -30 * DAY, 0)
"""Seconds by which the wall clock is off, one after the other."""
APART: Final = (60, -60)
"""Seconds by which the clocks of two hosts are off before the first step."""
DISTURBED: Final = Disturbances(duplicates=0.1, lost_answers=0.05)
TROUBLED: Final = {"delete": {"backoff": 0.05, "backoff_cap": 0.5}, "reconcile": {"interval": 2, "timeout": 5}}
STOP_SECONDS: Final = 8.0
"""A drain waits for no more than what is in flight, whatever the clock did."""


class Clocks:
    """The wall clocks of services, each a file of nanoseconds that is read at every look at the clock."""

    def __init__(self, folder: Path) -> None:
        """Compile what is preloaded.

        Raises:
            SkippedError: there is no C compiler.
        """
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise SkippedError("there is no C compiler (gcc), by which the wall clock of the service is moved")
        self._folder = folder
        self._library, source = folder / "clock.so", Path(__file__).with_name("clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self._library, source, "-ldl"], check=True)

    def install(self, service: Service) -> None:
        """Have a service that is not running yet take its own clock."""
        self.turn(service, 0)
        service.environment |= {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET": str(self._file(service))}

    def turn(self, service: Service, seconds: float) -> None:
        """Set a clock to be so many seconds off."""
        number = round(seconds * 10**9).to_bytes(8, "little", signed=True)
        with self._file(service).open("r+b" if self._file(service).exists() else "wb") as file:
            file.write(number)

    def _file(self, service: Service) -> Path:
        return self._folder / f"offset-{service.port}"


def clock(run: Run) -> None:
    """Nothing missing and nothing twice; what waits is handled soon after each step, and a stop takes no longer."""
    clocks = Clocks(run.folder)
    _one_machine(run, clocks)
    with PostgreSQL(run.folder) as server:
        _two_hosts(run, clocks, server)


def _one_machine(run: Run, clocks: Clocks) -> None:
    """Two workers on SQLite, whose machine's clock steps."""
    plan = Plan(slowest=0.05, raises=0.05)
    with run.site(plan=plan, sections={**TROUBLED, "server": {"workers": 2}}, disturbances=DISTURBED) as site:
        clocks.install(site.service)
        site.start()
        for seconds in _steps(run):
            _step(run, site, lambda seconds=seconds: clocks.turn(site.service, seconds))  # type: ignore[misc] # mypy does not see the default
        _end(site)


def _two_hosts(run: Run, clocks: Clocks, server: PostgreSQL) -> None:
    """Two hosts on PostgreSQL whose clocks differ, and of which one steps."""
    plan = Plan(slowest=0.05, raises=0.05)
    with (
        run.site(plan=plan, journal=server.url("journal"), hosts=2, sections=TROUBLED, disturbances=DISTURBED) as site,
        Proxy([service.port for service in site.services]) as balancer,
    ):
        site.ems.handler_url = site.url_of(balancer.port)
        for service, seconds in zip(site.services, APART, strict=True):
            clocks.install(service)
            clocks.turn(service, seconds)
            service.start()
        site.until(lambda: all(service.answers() for service in site.services), "every service answers")
        for number, seconds in enumerate(_steps(run)):
            stepped = site.services[number % 2]
            _step(run, site, lambda stepped=stepped, seconds=seconds: clocks.turn(stepped, seconds))  # type: ignore[misc] # as above
        _end(site)


def _steps(run: Run) -> list[int]:
    return list(STEPS[: run.scaled(len(STEPS), 5)])


def _step(run: Run, site: Site, step: Callable[[], None]) -> None:
    """Move a clock while notifications are taken and handled; they must be done as soon as without."""
    share = run.scaled(150, 12)
    site.tell(share)
    enough = len(site.acknowledged) + share // 3
    site.until(lambda: len(site.acknowledged) >= enough or not site.counts.waiting, "pushes are taken")
    step()
    site.tell(share)
    run.tally("steps")
    site.settle_down(30)


def _end(site: Site) -> None:
    for service in site.services:
        site.promise(service.stop(STOP_SECONDS) == 0, f"the service ends within {STOP_SECONDS:g} s:\n{service.log()}")
