"""The load: wrk, whose every request is a message as EMS sends it (``push.lua``), in any version of the API."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from soap_handler.faces.base import PATH
from soap_handler.faces.xml_push import PATH as PUSH_PATH

_SCRIPT: Final = Path(__file__).parent / "push.lua"
_SEED_BITS: Final = 52  # as many as a number of Lua holds


class Api(StrEnum):
    """What is pushed: a version of the API, or SOAP with a wrong password."""

    SOAP = "soap"
    SOAP_NO_HEADER = "soap-no-header"
    FORM = "form"
    XML = "xml"
    REFUSED = "refused"


class NoWrkError(RuntimeError):
    """wrk is not installed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    not_2xx: int
    socket_errors: int
    p50_ms: float
    p99_ms: float
    refusals: bool = False
    """Whether every request had a wrong password, so that 200 is the wrong answer."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def answered(self) -> int:
        """How many were answered as they should be: with 200, or by a refusal of the wrong password."""
        return self.not_2xx if self.refusals else self.requests - self.not_2xx

    @property
    def refused(self) -> int:
        """Other answers, and connections that broke."""
        return self.requests - self.answered + self.socket_errors


def warm_up(url: str, connections: int, api: Api = Api.SOAP) -> Load:
    """Push for a second that is not measured: what is imported, opened and compiled once is not the cost of a push."""
    return push(url, connections, 1, api)


def push_in_bursts(url: str, connections: int, bursts: int, api: Api = Api.SOAP) -> Load:
    """Push in bursts of one second, each over new connections.

    The kernel gives each connection to any of a service's processes, and a push is half as dear where one of them has
    all the connections as where two share them. One draw a second makes runs of several processes comparable.
    """
    seen = [push(url, connections, 1, api) for _ in range(bursts)]
    return Load(
        requests=sum(each.requests for each in seen),
        seconds=sum(each.seconds for each in seen),
        not_2xx=sum(each.not_2xx for each in seen),
        socket_errors=sum(each.socket_errors for each in seen),
        p50_ms=statistics.median(each.p50_ms for each in seen),
        p99_ms=statistics.median(each.p99_ms for each in seen),
        refusals=api is Api.REFUSED,
    )


def push(url: str, connections: int, seconds: float, api: Api = Api.SOAP) -> Load:
    """Push for some whole seconds over so many connections, in a version of the API.

    XML push has its own address on the same server.

    Raises:
        NoWrkError: there is no wrk (Debian: ``apt-get install wrk``).
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrkError("wrk is not installed (Debian: apt-get install wrk)")
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(_SCRIPT)]
    address = url.replace(PATH, PUSH_PATH) if api is Api.XML else url
    run = subprocess.run(
        [*command, address, "--", str(random.SystemRandom().getrandbits(_SEED_BITS)), api],
        capture_output=True,
        text=True,
        check=True,
    )
    return Load(**json.loads(run.stdout.splitlines()[-1]), refusals=api is Api.REFUSED)
