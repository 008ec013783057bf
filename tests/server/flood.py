"""Holds as many connections open as it can, half of them silent, half dripping a request; run in a process of its own.

Usage: flood.py PORT CONNECTIONS. Connections that are cut are opened again. Ends when its standard input does.
"""

from __future__ import annotations

import selectors
import socket
import sys
from itertools import count
from typing import Final

_REQUEST: Final = b"POST /AccountEventHandler HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900
_PAUSE: Final = 0.05  # seconds between two rounds
_AT_ONCE: Final = 100  # new connections in a round


def main(port: int, wanted: int) -> None:
    """Flood until told to stop."""
    numbers, open_now = count(), dict[int, tuple[socket.socket, int]]()
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        told, number = False, 0
        while True:
            for key, _ in selector.select(_PAUSE):
                if key.fileobj is sys.stdin:
                    return
            for number, (each, sent) in list(open_now.items()):
                open_now[number] = (each, sent + 1)
                if not _keep(each, sent if number % 2 else -1):
                    each.close()
                    del open_now[number]
            for _ in range(min(_AT_ONCE, wanted - len(open_now))):
                number = next(numbers)
                open_now[number] = (_opened(port), 0)
            if not told and number >= wanted - 1:
                told = True
                print("flooding", flush=True)  # noqa: T201 - the test waits for this line


def _opened(port: int) -> socket.socket:
    each = socket.socket()
    each.settimeout(0)
    each.connect_ex(("127.0.0.1", port))
    return each


def _keep(each: socket.socket, position: int) -> bool:
    """Send the next byte, if there is one; return whether the other side is still there."""
    try:
        if position >= 0:
            each.send(_REQUEST[position : position + 1])
        return each.recv(100) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
