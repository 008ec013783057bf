"""systemd's side of the service: ready, reloading, stopping and the watchdog, as sd_notify(3) sends them.

A message is one datagram to the socket that ``NOTIFY_SOCKET`` names. Without that variable nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGNS_PER_WATCHDOG: Final = 4  # signs of life in WatchdogSec; systemd asks for two at least


class ServiceManager:
    """The manager that started this process, or none. Nothing here raises or waits; safe in a signal handler."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)  # "@": an abstract socket
        self._pause = _watchdog_seconds(environ) / _SIGNS_PER_WATCHDOG
        self._next_sign = 0.0
        self._is_ready = False

    def alive(self) -> None:
        """Say that the service works. The first call says that it has started; call it once a second at least."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")
        now = time.monotonic()
        if self._pause and now >= self._next_sign:
            self._next_sign = now + self._pause
            self._send("WATCHDOG=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that a reload is under way, and afterwards that it is over, whatever came of it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._send("READY=1")

    def stopping(self) -> None:
        """Say that the drain has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(0)  # a manager that does not read must not hold the loop
            manager.sendto(message.encode(), self._address)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """Return the time in which the manager wants a sign of life from this process; 0 where it wants none."""
    meant_for = environ.get("WATCHDOG_PID") or str(os.getpid())
    microseconds = environ.get("WATCHDOG_USEC", "")
    if meant_for != str(os.getpid()) or not (microseconds.isascii() and microseconds.isdecimal()):
        return 0.0
    return int(microseconds) / 1e6
