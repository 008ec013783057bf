"""A stand-in for systemd: the datagram socket on which a service says what becomes of it."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class NotifySocket:
    """What has been said, oldest first."""

    def __init__(self, address: str) -> None:
        self.address = address
        """As NOTIFY_SOCKET holds it: a path, or an abstract name after an ``@``."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(0)
        self._said: list[str] = []

    def said(self) -> list[str]:
        """Return all that has been said so far, each message without a MONOTONIC_USEC in it."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._said.append(self._socket.recv(4096).decode().partition("\nMONOTONIC_USEC=")[0])
        return list(self._said)

    def steps(self) -> list[str]:
        """Return what has been said besides the signs of life."""
        return [each for each in self.said() if each != "WATCHDOG=1"]

    def signs(self) -> int:
        """Return how many signs of life have come."""
        return self.said().count("WATCHDOG=1")

    def wait_for_signs(self, count: int = 1) -> None:
        """Wait until so many more signs of life have come."""
        known = self.signs()
        wait_for(lambda: self.signs() >= known + count)

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def notify_socket(folder: Path) -> Iterator[NotifySocket]:
    """Listen in a folder of the test."""
    with contextlib.closing(NotifySocket(str(folder / "notify"))) as found:
        yield found
