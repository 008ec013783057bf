"""``simulate``: EMS on its own, against a service and without one."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from soap_handler.ems import EmsAccount, PushSettings, SimulatedEms
from soap_handler.notifications import MessageEvent
from tests.cli.conftest import Run, command, environment, serve, write_configuration
from tests.diagnosis import certificates
from tests.diagnosis.fronts import answering
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_is_done_when_the_inbox_is_empty(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It pushes what is ordered to a service, which empties the inbox; then it ends with 0 and its counts.

    Account, passwords, and the port of the inbox are those of the configuration.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    inbox = f"http://127.0.0.1:{port}/secure/messenger/soap/InboxService.asmx"
    account = f'inbox = {{ url = "{inbox}", username = "ems", password = "s3cret" }}'
    write_configuration(tmp_path, handler='target = "soap_handler.sinks.stdout:handlers"', account=account)
    monkeypatch.delenv("SOAP_HANDLER_PUSH_PASSWORD", raising=False)
    with serve(tmp_path) as service:
        ordered = ("--messages", "20", "--rate", "500", "--duplicates", "0.5")
        result = run("simulate", "--handler-url", service.url, *ordered, "--json")
        assert service.end(signal.SIGTERM) == 0
    assert result.code == 0, result.err
    assert (result.json["pushed"], result.json["acknowledged"], result.json["inbox"]) == (20, 20, 0)
    assert result.json["duplicates"] > 0
    assert f"{inbox}?wsdl" in result.err


def test_ctrl_c_ends_it_with_its_counts(tmp_path: Path) -> None:
    """Without a handler only the inbox runs; Ctrl-C ends it, and what was left shows in counts and exit code."""
    arguments = command("simulate", "--rate", "1000", "--password", "x", "--json")
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("inbox: http://127.0.0.1:")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 1
    assert json.loads(out)["acknowledged"] == 0


def test_a_password_is_needed(run: Run) -> None:
    """Without a password there is nothing to present."""
    result = run("simulate", "--messages", "1")
    assert result.code == 2
    assert "--password is missing" in result.err


def test_the_table_is_for_people(run: Run) -> None:
    """Without --json the counts are a table on standard output."""
    result = run("simulate", "--messages", "0", "--password", "x")
    assert result.code == 0
    assert "acknowledged" in result.out


def test_a_real_service_is_pushed_to_only_by_name(run: Run, tmp_path: Path) -> None:
    """Made-up messages would be handled as those of people; a service whose inbox is on this machine is for trying."""
    elsewhere = 'inbox = { url = "https://www.esendex.com/Inbox.asmx", username = "a", password = "b" }'
    for account, said in (
        (elsewhere, "no pushes: the configuration's inbox is at www.esendex.com"),
        ("", "pushes to:"),
    ):
        path = write_configuration(tmp_path, account=account)
        path.write_text(path.read_text().replace("port = 0", "port = 9"))
        result = run("simulate", "--messages", "0")
        assert (result.code, said in result.err) == (0, True), result.err
    assert "pushes to: http://127.0.0.1:9/AccountEventHandler\n" in result.err


def _is_said(ems: SimulatedEms, text: str) -> bool:
    return any(text in each.last_failure for each in ems.waiting())


def test_the_simulator_says_what_is_wrong_with_tls(tmp_path: Path) -> None:
    """And trusts a root of one's own, as ``--ca-bundle`` names it, beside the well-known ones."""
    files = certificates.good(tmp_path)
    with answering(lambda *_: (500, "text/plain", b"no"), files) as port:
        account = EmsAccount(reference="A", username="u", password="p", push_username="u", push_password="p")
        for root, said in ((None, "unknown issuer"), (files.root, "HTTP 500")):
            settings = PushSettings(ca_bundle=root)
            with SimulatedEms([account], f"https://localhost:{port}/", push_settings=settings) as ems:
                ems.push(MessageEvent(account="A", id="x"))
                wait_for(partial(_is_said, ems, said))
