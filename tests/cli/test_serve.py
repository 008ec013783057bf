"""``serve``: what it says when it starts, and how it drains."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from soap_handler.contract import NAMESPACE, SOAP_11, soap_action
from soap_handler.journal import Journal, Selection, State
from tests.cli.conftest import CREDENTIALS, Run, Serving, command, environment, serve, write_configuration
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = """
import time
from pathlib import Path

def handle(notification):
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.01)
"""
ENVELOPE = f"""<s:Envelope xmlns:s="{SOAP_11}" xmlns="{NAMESPACE}"><s:Header><MessengerHeader>
<Username>ems</Username><Password>s3cret</Password><Account>EX0012345</Account></MessengerHeader></s:Header>
<s:Body><MessageEvent><id>%s</id><eventtype>Delivered</eventtype><occurredat>2026-03-02T08:00:00Z</occurredat>
</MessageEvent></s:Body></s:Envelope>"""
HEAD = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action("MessageEvent")}"'}


def push(connection: http.client.HTTPConnection, identity: str) -> int:
    connection.request("POST", "/AccountEventHandler", ENVELOPE % identity, HEAD)
    response = connection.getresponse()
    response.read()
    return response.status


@pytest.fixture
def connection(slow: Serving) -> Iterator[http.client.HTTPConnection]:
    kept = http.client.HTTPConnection("127.0.0.1", slow.port, timeout=10)
    yield kept
    kept.close()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Serving]:
    """Serve with a handler that waits until a file appears."""
    (tmp_path / "slow.py").write_text(SLOW)
    write_configuration(tmp_path, server="drain_timeout = 5", handler='target = "slow:handle"')
    with serve(tmp_path) as running:
        yield running


def states(folder: Path) -> list[State]:
    with Journal(f"sqlite:///{folder / 'journal.db'}") as journal:
        return [record.state for record in journal.records(Selection())]


def test_it_says_what_it_serves(slow: Serving) -> None:
    """On start the log says the address, the accounts and the handler, and warns of an account without inbox."""
    starting = slow.event("starting")
    assert starting["accounts"] == ["EX0012345"]
    assert starting["handler"] == "slow:handle"
    assert starting["address"] == f"127.0.0.1:{slow.port}"
    assert slow.event("no_inbox_configured")["account"] == "EX0012345"


def test_nothing_secret_is_logged(slow: Serving, connection: http.client.HTTPConnection) -> None:
    """The log of a service that took a push holds no password."""
    assert push(connection, "1") == 200
    assert "s3cret" not in str(slow.events())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_finished(
    slow: Serving, connection: http.client.HTTPConnection, tmp_path: Path, number: int
) -> None:
    """A signal lets a half-sent request and a running handler end, closes idle connections, and exits with 0."""
    assert push(connection, "1") == 200  # and the connection is kept alive
    wait_for((tmp_path / "begun").exists)
    body = (ENVELOPE % "2").encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in HEAD.items())
    with socket.create_connection(("127.0.0.1", slow.port), 10) as half:
        half.sendall(
            f"POST /AccountEventHandler HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
        )
        half.sendall(body[:100])
        time.sleep(0.1)  # the half must have arrived; nothing outside can see that it has
        slow.process.send_signal(number)
        half.sendall(body[100:])
        assert half.recv(1000).startswith(b"HTTP/1.1 200")
    (tmp_path / "go").touch()
    assert slow.process.wait(20) == 0
    stored = states(tmp_path)
    assert State.DONE in stored
    assert len(stored) == 2
    assert slow.event("stopped")["handled"] is True


def test_an_old_name_of_a_setting_is_warned_of_in_the_log(tmp_path: Path) -> None:
    """The warning names both, in the format of the log."""
    write_configuration(tmp_path, server="drain = 5")
    with serve(tmp_path) as running:
        warning = running.event("setting_renamed")
        assert running.end(signal.SIGTERM) == 0
    assert [warning[name] for name in ("level", "old", "new")] == ["warning", "server.drain", "server.drain_timeout"]


def test_what_is_left_in_flight_shows_in_the_exit_code(tmp_path: Path) -> None:
    """A handler that does not return within server.drain_timeout leaves exit code 1 and a notification to handle."""
    (tmp_path / "slow.py").write_text(SLOW)
    write_configuration(tmp_path, server="drain_timeout = 0.2", handler='target = "slow:handle"')
    with serve(tmp_path) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        assert push(connection, "1") == 200
        connection.close()
        wait_for((tmp_path / "begun").exists)
        assert running.end(signal.SIGTERM) == 1
    assert states(tmp_path) == [State.RECEIVED]


def test_a_second_signal_ends_at_once(slow: Serving, connection: http.client.HTTPConnection, tmp_path: Path) -> None:
    """Who cannot wait for the drain sends the signal again."""
    assert push(connection, "1") == 200
    wait_for((tmp_path / "begun").exists)
    slow.process.send_signal(signal.SIGTERM)
    wait_for(lambda: _refuses(slow.port))
    assert slow.end(signal.SIGTERM) == -signal.SIGTERM


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was in the queue of the listener that was being closed
        return False
    return False


def test_a_start_that_fails_says_why(tmp_path: Path, run: Run) -> None:
    """What keeps the service from starting is a short sentence and exit code 2, never a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_configuration(tmp_path).write_text(
            (tmp_path / "soap-handler.toml").read_text().replace("port = 0", f"port = {port}")
        )
        ended = subprocess.run(
            command("serve"), cwd=tmp_path, env=environment(), capture_output=True, timeout=20, check=False
        )
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}".encode() in ended.stderr
    assert b"Traceback" not in ended.stderr
    write_configuration(tmp_path, handler='target = "nowhere:handle"')
    result = run("serve")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "nowhere" in result.err


def test_all_problems_of_the_configuration_are_said(tmp_path: Path, run: Run) -> None:
    """Each problem of the configuration is a line of its own."""
    write_configuration(tmp_path, server="threads = 0\nhots = 1")
    result = run("serve")
    assert result.code == 2
    assert "server.threads" in result.err
    assert "server.hots" in result.err


def test_the_configuration_is_found(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is named wins over soap-handler.toml, and that one over SOAP_HANDLER_CONFIG."""
    for name in ("named.toml", "other.toml"):
        (tmp_path / name).write_text(f"{name.removesuffix('.toml')} = 1")
    monkeypatch.setenv("SOAP_HANDLER_CONFIG", "other.toml")
    assert "other is not a setting" in run("serve").err
    (tmp_path / "soap-handler.toml").write_text("here = 1")
    assert "here is not a setting" in run("serve").err
    assert "named is not a setting" in run("serve", "--config", "named.toml").err


def test_dead_ones_are_found_and_sent_round_again(tmp_path: Path, run: Run) -> None:
    """A notification that died in a running service is listed, shown with its error, and handled after a retry."""
    (tmp_path / "fails.py").write_text(
        "from pathlib import Path\ndef handle(_):\n    if not Path('mended').exists(): raise ValueError('not yet')\n"
    )
    write_configuration(tmp_path, handler='target = "fails:handle"\nmax_attempts = 1')
    with serve(tmp_path) as running:
        pushed = run("push", "MessageEvent", "--url", running.url, *CREDENTIALS)
        assert pushed.code == 0, pushed.err
        key = pushed.out.splitlines()[-1].removeprefix("key: ")
        wait_for(lambda: [each["key"] for each in run("journal", "list", "--state", "dead", "--json").json] == [key])
        shown = run("journal", "show", key, "--json").json
        assert [attempt["error"] for attempt in shown["history"]] == ["ValueError: not yet"]
        (tmp_path / "mended").touch()
        assert run("journal", "retry", key).out == "sent round again: 1\n"
        wait_for(lambda: run("journal", "show", key, "--json").json["state"] == "done")
        assert running.end(signal.SIGTERM) == 0


def test_a_new_password_is_taken_up_while_serving(tmp_path: Path, run: Run) -> None:
    """SIGHUP takes up the passwords of the file; one that is wrong is refused, and the old ones stay."""
    path = write_configuration(tmp_path)
    with serve(tmp_path) as running:
        path.write_text(path.read_text().replace("s3cret", "n3w"))
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: running.event("reloaded"))
        new = [each.replace("s3cret", "n3w") for each in CREDENTIALS]
        assert run("push", "MessageEvent", "--url", running.url, *new).code == 0
        path.write_text("nonsense = 1")
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("nonsense" in event.get("problem", "") for event in running.events()))
        (tmp_path / "soap-handler.toml").unlink()  # or the next command would read it
        assert run("push", "MessageEvent", "--url", running.url, *new).code == 0
        assert running.end(signal.SIGTERM) == 0
