"""The limit on open files (RLIMIT_NOFILE): raised to what the connections need, as far as the system allows."""

from __future__ import annotations

import sys
from typing import Final

from soap_handler import telemetry

if sys.platform != "win32":
    import resource

_FILES_BESIDE: Final = 160  # of the journal, the inboxes, the log, and what handlers open


def make_room(connections: int) -> int:
    """Raise the limit on open files to what this many connections need; return how many connections it allows.

    Only the soft limit is raised. Where the hard one is too low, that is logged, and fewer connections are returned.
    """
    if sys.platform == "win32":  # it has no such limit
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    reachable = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    except (OSError, ValueError) as error:
        telemetry.emit("open_files_not_raised", reason=str(error), limit=soft, needed=needed)
        reachable = soft
    if reachable < needed:
        allowed = max(1, reachable - _FILES_BESIDE)
        telemetry.emit("open_files_limited", limit=reachable, needed=needed, connections=allowed)
        return allowed
    return connections
