"""With several workers the console is a process of its own: pushes do not notice when it dies or hangs."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from soap_handler.accounts.passwords import PasswordHash
from tests.console.asking import get, log_in_as, ready
from tests.support import fork_server
from tests.support.waiting import wait_for
from tests.system.workers.serving import Serving, alive, started

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD: Final = "correct horse"
HASH: Final = str(PasswordHash.of(PASSWORD, ln=4))
CONSOLE: Final = "timeout = 5\n[console]\nport = 0"
STORED: Final = 'pushes_total{api="soap",kind="MessageEvent",result="stored"}'


def user(name: str) -> str:
    return f'[[console.user]]\nname = "{name}"\npassword = "{HASH}"'


def log_in(port: int, name: str) -> str:
    return log_in_as(port, name, PASSWORD)


def console_of(serving: Serving) -> tuple[int, int]:
    """Return the process and the port of the console that was started last."""
    wait_for(lambda: len(serving.events("console_serving")) == len(serving.events("console_started")) > 0)
    return serving.events("console_started")[-1]["process"], serving.events("console_serving")[-1]["port"]


def test_a_console_that_is_killed_comes_back(tmp_path: Path) -> None:
    """Pushes go on, another process takes its place on the same port, and it ends with the service."""
    with started(tmp_path, handler=CONSOLE) as it:
        process, port = console_of(it)
        wait_for(lambda: ready(port)[0] == 200)
        assert process not in it.workers()
        os.kill(process, signal.SIGKILL)
        assert it.push("while it is gone")
        wait_for(lambda: len(it.events("console_serving")) == 2)
        successor, same = console_of(it)
        assert same == port
        wait_for(lambda: ready(port)[0] == 200)
        assert it.end(signal.SIGTERM) == 0
        assert not alive(successor)


def test_a_console_that_hangs_keeps_nothing_from_ending(tmp_path: Path) -> None:
    """Stopped in its tracks, it neither holds up a push nor the drain, and is gone afterwards."""
    with started(tmp_path, handler=CONSOLE) as it:
        process, _ = console_of(it)
        os.kill(process, signal.SIGSTOP)
        assert it.push("while it hangs")
        assert it.end(signal.SIGTERM) == 0
        assert not alive(process)


def test_a_port_that_is_taken_is_said_at_the_start(tmp_path: Path) -> None:
    """As with the public port: one line, exit code 2; with one process and with several."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serving = Serving(tmp_path, 2)
        serving.configure(handler=CONSOLE.replace("port = 0", f"port = {taken.getsockname()[1]}"))
        for workers in ("1", "2"):
            run = fork_server.run("soap_handler", "serve", "--workers", workers, cwd=tmp_path)
            assert run.returncode == 2
            assert f"the console cannot listen on 127.0.0.1:{taken.getsockname()[1]}" in run.stderr


def test_the_metrics_are_those_of_all_workers(tmp_path: Path) -> None:
    """One page sums what each counted. A worker that dies takes its gauges along, and its counters stay."""
    with started(tmp_path, handler=CONSOLE) as it:
        _, port = console_of(it)
        wait_for(lambda: metric(port, 'workers{status="serving"}') == 2)
        assert all(it.push(str(number)) for number in range(30))
        wait_for(lambda: metric(port, STORED) == 30)  # counted behind the answer
        with ExitStack() as held:
            for _ in range(10):
                held.enter_context(socket.create_connection(("127.0.0.1", it.port), 20))
            wait_for(lambda: metric(port, "connections") == 10)
            for worker in it.workers():
                os.kill(worker, signal.SIGKILL)
        wait_for(lambda: it.has_served(4) and metric(port, 'workers{status="serving"}') == 2)
        wait_for(lambda: metric(port, "connections") == 0)
        it.push_until_acknowledged("once more")
        wait_for(lambda: metric(port, STORED) >= 31)  # a push whose worker died may have been made twice
        assert metric(port, "worker_restarts_total") == 2


def test_a_reload_reaches_the_console(tmp_path: Path) -> None:
    """An account that is new has its own backlog at once."""
    with started(tmp_path, handler=CONSOLE) as it:
        _, port = console_of(it)
        more = '\n[[account]]\nreference = "NEW"\nanonymous = true\n'
        with (it.folder / "soap-handler.toml").open("a") as file:
            file.write(more)
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'account="NEW",step="dead"' in get(port, "/metrics")[2])


def test_a_user_who_is_removed_is_logged_out_of_the_process(tmp_path: Path) -> None:
    """The console's own process hears of the reload: it takes in the new user, and ends the session of the old one."""
    with started(tmp_path, handler=f"{CONSOLE}\n{user('olga')}") as it:
        _, port = console_of(it)
        cookie = log_in(port, "olga")
        assert get(port, "/audit", Cookie=cookie, Accept="text/html")[0] == 200
        file = it.folder / "soap-handler.toml"
        file.write_text(file.read_text().replace(user("olga"), user("victor")))
        it.process.send_signal(signal.SIGHUP)
        wait_for(lambda: get(port, "/audit", Cookie=cookie, Accept="text/html")[0] == 303, 30)
        assert get(port, "/audit", Cookie=log_in(port, "victor"), Accept="text/html")[0] == 200
        assert it.push("meanwhile")


def metric(port: int, name: str) -> float:
    """Return the value of a metric, 0 where it is not there."""
    start = f"soap_handler_{name} "
    lines = [line for line in get(port, "/metrics")[2].splitlines() if line.startswith(start)]
    return float(lines[0].removeprefix(start)) if lines else 0.0
