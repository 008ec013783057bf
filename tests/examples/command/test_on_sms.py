"""The example of a program, tested as its author would: started by the service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soap_handler.testing import StartService

PROGRAM = Path(__file__).with_name("on_sms.py")


def test_the_program_gets_each_message(soap_handler_service: StartService, tmp_path: Path) -> None:
    """What it takes leaves the EMS inbox; what it can never take is dead, and stays there."""
    command = [sys.executable, str(PROGRAM), str(tmp_path / "log")]
    service = soap_handler_service(sink={"type": "command", "command": command})
    taken, refused = service.receive("Grüße"), service.receive("")
    service.wait_until_done(taken)
    service.wait_until_dead(refused)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "447700900123: Grüße\n"
    assert service.ems.counts().inbox == 1
