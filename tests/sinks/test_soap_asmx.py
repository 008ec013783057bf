"""The sink that relays, against what it is made for: an ASMX service of ASP.NET, on Mono (skipped without it)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.notifications import (
    ErrorType,
    EventCode,
    FailureReason,
    MessageError,
    MessageEvent,
    MessageReceived,
    MessageType,
    SubscriptionEvent,
)
from soap_handler.sinks.base import Delivery
from tests.sinks.deliveries import AWKWARD, STORED, WHEN, received
from tests.sinks.test_soap import relay
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ASMX = Path(__file__).parent / "asmx"


class Asmx:
    """The service of the folder ``asmx``, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/Handler.asmx"
        self._told = folder / "told"
        program = folder / "bin" / "Host.exe"
        program.parent.mkdir()
        compiler = ["mcs", f"-out:{program}", "-r:System.Web", str(ASMX / "Host.cs")]
        subprocess.run(compiler, check=True, capture_output=True)
        shutil.copy(ASMX / "Handler.asmx", folder)
        environment = {**os.environ, "TOLD": str(self._told), "TMPDIR": str(folder)}
        command = ["mono", str(program), str(port), str(folder)]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self) -> bool:
        """Whether it takes calls: the first one has the service compiled."""
        with relay(self.url, timeout=60) as sink:
            try:
                return "HTTP 200" in sink.probe()
            except SinkDownError:
                return False

    def last(self) -> Any:
        return json.loads(self._told.read_text("utf-8").splitlines()[-1])


@pytest.fixture(scope="module")
def asmx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asmx]:
    """Return a handler in ASP.NET."""
    if shutil.which("mono") is None or shutil.which("mcs") is None:
        pytest.skip("mono-devel is not installed")
    service = Asmx(tmp_path_factory.mktemp("asmx"))
    try:
        wait_for(service.answers)
        yield service
    finally:
        service.process.kill()
        service.process.wait()


FAILED = FailureReason(27, "off", permanent_failure=True)
TOLD = [
    (received(), {"originator": "447700900123", "type": "Text", "sentat": "2026-03-02T08:00:00.0000000Z"}),
    (Delivery(MessageEvent(account="EX0000001", id="e1", occurred_at=WHEN), STORED), {"eventtype": "Delivered"}),
    (
        Delivery(
            MessageError(account="EX0000001", id="e2", error_type=ErrorType.FAILED, failure_reason=FAILED), STORED
        ),
        {"errortype": "Failed", "code": 27},
    ),
    (
        Delivery(
            SubscriptionEvent(account="EX0000001", mobile_number="447700900001", event_code=EventCode.CONTINUE), STORED
        ),
        {"mobileNumber": "447700900001", "eventCode": "Continue"},
    ),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("delivery", "values"), TOLD, ids=[str(each.notification.kind) for each, _ in TOLD])
def test_an_asmx_service_gets_each_kind(asmx: Asmx, delivery: Delivery, values: dict[str, Any]) -> None:
    """As EMS itself would call it: the types, enumerations and the header of its own contract."""
    with relay(asmx.url) as sink:
        sink.deliver(delivery)
    line = asmx.last()
    assert (line["operation"], line["account"]) == (delivery.notification.kind.value, "EX0000001")
    assert values.items() <= line["values"].items()


@pytest.mark.parametrize("name", ["emoji", "cdata", "long", "empty"])
def test_an_asmx_service_gets_the_text(asmx: Asmx, name: str) -> None:
    """Emoji, ``]]>`` and ten thousand characters arrive as they are."""
    with relay(asmx.url) as sink:
        sink.deliver(received(body=AWKWARD[name]))
    assert asmx.last()["values"]["body"] == AWKWARD[name]


def test_faults_of_an_asmx_service_are_told_apart(asmx: Asmx) -> None:
    """A refusal of one message is that message's; a refused login and an exception are the sink's."""
    with relay(asmx.url) as sink:
        with pytest.raises(SinkRefusedError, match="not this one"):
            sink.deliver(received(body="refuse me"))
        with pytest.raises(SinkDownError, match="out of order"):
            sink.deliver(received(body="break"))
    with relay(asmx.url, password="other") as sink, pytest.raises(SinkDownError, match="Authentication failed"):
        sink.deliver(received())


def test_what_its_contract_cannot_hold_is_refused_alone(asmx: Asmx) -> None:
    """A value that its enumeration lacks fails to be read there: that message's fault, and the sink goes on."""
    unknown = MessageReceived(account="EX0000001", id="m", type=MessageType("Hologram"), body="x")
    with relay(asmx.url) as sink:
        with pytest.raises(SinkRefusedError):
            sink.deliver(Delivery(unknown, STORED))
        sink.deliver(received())
