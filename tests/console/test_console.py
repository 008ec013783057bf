"""The console answers at an address of its own, tells whether the service is ready, and ends with it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from soap_handler.app import App
from soap_handler.console.health import KEPT_SECONDS, CommitProbe
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal.databases.heartbeat import beat
from soap_handler.server.console_listener import ConsoleListener
from soap_handler.server.supervisor import listen
from tests.console.asking import console_of, get, get_json, ready, with_console
from tests.support.service import serving
from tests.support.waiting import wait_for
from tests.support.wire import message, post

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

    from soap_handler.notifications import Notification


def test_a_serving_service_is_live_and_ready(tmp_path: Path) -> None:
    """Each route answers; ready turns to 200 once the service listens."""
    with serving(with_console(tmp_path)) as service:
        port = console_of(service)
        assert get_json(port, "/health/live") == (200, {"status": "live"})
        wait_for(lambda: ready(port)[0] == 200)
        assert ready(port) == (200, {"status": "ready", "reasons": []})
        assert "soap_handler_build_info" in get(port, "/metrics")[2]
        assert get(port, "/")[0] == 200


def test_a_journal_that_does_not_commit_is_a_reason(tmp_path: Path) -> None:
    """Not ready is 503 with the reason in words, and live all the same; the metrics say it too."""
    with serving(with_console(tmp_path)) as service:
        port = console_of(service)
        service.app.journal.committer.close(5)
        wait_for(lambda: "does not commit" in str(ready(port)[1]["reasons"]))
        assert ready(port)[0] == 503
        assert get_json(port, "/health/live")[0] == 200
        assert "soap_handler_ready 0.0" in get(port, "/metrics")[2]


def test_slow_pages_keep_no_probe_waiting() -> None:
    """Files for slow readers, or a journal that says nothing, may take all threads of the pages."""
    begun, go = threading.Semaphore(0), threading.Event()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if not environ["PATH_INFO"].startswith("/health/"):
            begun.release()
            go.wait(60)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    console = ConsoleListener(application, listen("127.0.0.1", 0))
    console.start()
    readers = [threading.Thread(target=get, args=(console.port, "/messages.csv")) for _ in range(20)]
    try:
        for each in readers:
            each.start()
        assert begun.acquire(timeout=20)
        for _ in range(5):
            assert get(console.port, "/health/live")[0] == get(console.port, "/health/ready?x")[0] == 200
    finally:
        go.set()
        for each in readers:
            each.join(30)
        assert console.stop(30)


def test_a_draining_service_is_not_ready(tmp_path: Path) -> None:
    """A balancer stops sending while what is in flight is finished: the console answers until the end."""
    begun, go = threading.Event(), threading.Event()
    handlers = Handlers()

    def hold(_: Notification) -> None:
        begun.set()
        go.wait(20)

    handlers.all_kinds(hold)
    app = App(with_console(tmp_path), handlers)
    running = threading.Thread(target=app.run)
    running.start()
    try:
        assert app.console is not None
        port = app.console.port
        assert post(app.server.port, message()).confirms
        assert begun.wait(20)
        assert ready(port)[0] == 200
        app.stop()
        assert ready(port) == (503, {"status": "not ready", "reasons": ["the service drains"]})
    finally:
        go.set()
        app.stop()
        running.join(30)


def test_a_probe_writes_once_in_some_seconds(tmp_path: Path) -> None:
    """Many probes share one commit, and each commit is a row that is really written."""
    with serving(with_console(tmp_path)) as service:
        journal = service.app.journal
        commits: list[object] = []
        submit = journal.committer.submit
        journal.committer.submit = lambda verb, argument: (commits.append(verb), submit(verb, argument))[1]  # type: ignore[method-assign, func-returns-value]
        now = [0.0]
        probe = CommitProbe(journal, lambda: now[0])
        assert [probe.problem() for _ in range(50)] == [None] * 50
        assert commits.count(beat) == 1
        now[0] += KEPT_SECONDS
        assert probe.problem() is None
        assert commits.count(beat) == 2
        assert submit(beat, None).result(20) == 1


def test_without_the_table_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """Off is off: neither Flask nor prometheus-client is imported by a service without a console."""
    code = (
        "import sys; from pathlib import Path; from tests.support.service import Service, settings_for;"
        f"service = Service(settings_for(Path({str(tmp_path)!r}))); service.stop();"
        "print([name for name in ('flask', 'werkzeug', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
