"""A simulated EMS inbox in a process of its own, which confirms the delete of whatever it is asked for."""

from __future__ import annotations

import signal
import sys

from soap_handler.ems import EmsAccount, InboxService

ACCOUNT = EmsAccount(
    reference="EX0012345", username="user", password="pass", push_username="ems", push_password="s3cret"
)

if __name__ == "__main__":
    service = InboxService([ACCOUNT], unknown_ids="ignore")
    service.start()
    sys.stdout.write(f"{service.url}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    service.stop()
