"""The load: wrk, whose every request is a message as EMS sends it (``push.lua``)."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCRIPT: Final = Path(__file__).parent / "push.lua"
_SEED_BITS: Final = 52  # as many as a number of Lua holds


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

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def answered(self) -> int:
        """How many were answered 200."""
        return self.requests - self.not_2xx

    @property
    def refused(self) -> int:
        """Answers other than 200, and connections that broke."""
        return self.not_2xx + self.socket_errors


def warm_up(url: str, connections: int, api: str = "soap") -> Load:
    """Push for a second that is not measured: what is imported, opened and compiled once is not the cost of a push."""
    return push(url, connections, 1, api)


def push(url: str, connections: int, seconds: float, api: str = "soap") -> Load:
    """Push for some whole seconds over so many connections, in a version of the API.

    Raises:
        NoWrkError: there is no wrk (Debian: ``apt-get install wrk``).
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoWrkError("wrk is not installed (Debian: apt-get install wrk)")
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(_SCRIPT), url, "--"]
    run = subprocess.run(
        [*command, str(random.SystemRandom().getrandbits(_SEED_BITS)), api], capture_output=True, text=True, check=True
    )
    return Load(**json.loads(run.stdout.splitlines()[-1]))
