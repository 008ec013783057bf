"""What a forked child must not keep: the port and the connections of EMS. Python marks them close-on-exec.

That closes them in a child that runs another program. A child of a handler that only forks (``multiprocessing``) would
hold the port after the service has ended, and EMS's connections after we closed them.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import Any, Final, Protocol


class HasSockets(Protocol):
    """A server, with waitress's map of what its loop waits for."""

    sockets: dict[int, Any]


_servers: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def close_in_children(server: HasSockets) -> None:
    """Close the sockets of a server, listening and accepted, in each process that is forked from this one."""
    _servers.add(server)


def _close() -> None:
    for server in list(_servers):
        for each in list(server.sockets.values()):
            if isinstance(getattr(each, "socket", None), socket.socket):
                each.socket.close()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_close)
