"""The console on a journal of many rows: how long each page takes at the server, by the clock and by the processor."""

from __future__ import annotations

import http.client
import os
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from soap_handler.accounts.passwords import PasswordHash
from soap_handler.console import application, exposition, health
from soap_handler.console.pages import overview
from soap_handler.journal import Journal, Selection, State
from soap_handler.metrics.shared_memory import MetricsSlot, SharedMemory
from soap_handler.metrics.status import Status
from soap_handler.server.console_listener import ConsoleListener
from soap_handler.server.supervisor import listen
from soap_handler.settings import AccountSettings, ConsoleSettings, JournalSettings, Settings
from tests.bench import long_journal, targets
from tests.support.postgresql import NoPostgreSQLError, PostgreSQL, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flask import Flask

_PASSWORD: Final = "correct horse"
_FIRST_BYTES: Final = 1024  # of a file; the rest is read while it is sent
_OTHER_ACCOUNT: Final = "EX0067890"
"""An account of which the journal has no row: the whole of it would have to be looked through."""


@dataclass(frozen=True, slots=True)
class Served:
    """A console on a long journal, at which an operator is logged in."""

    port: int
    cookie: str
    app: Flask
    journal: Journal
    database_cpu: Callable[[], float]
    """The CPU seconds that a server of the database has used; none on SQLite, which runs in this process."""


def campaign(rows: int, rounds: int, engines: Sequence[str], told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return a row for each page on each engine."""
    found = []
    for engine in engines:
        with ExitStack() as stack:
            try:
                url, database_cpu = _filled(stack, engine, rows, told)
            except NoPostgreSQLError as reason:
                told(f"LEFT OUT: {engine}: {reason}")
                continue
            served = stack.enter_context(_serving(url, database_cpu))
            told(f"asking each page {rounds} times: {engine}")
            found += [_row(engine, name, path, served, rounds) for name, path in pages(served.journal).items()]
    return found


def pages(journal: Journal) -> dict[str, str]:
    """Return the path of each page, with the filters that people use; the fields that find nothing take longest."""
    dead = journal.records(Selection(state=State.DEAD), limit=1)[0]
    newest = journal.records(Selection(), limit=1)[0].seq
    day = f"{dead.received_at:%Y-%m-%d}"
    return {
        "overview, a new look": "/",
        "messages": "/messages",
        "messages, the last page but a few": f"/messages?before={newest // 50}",
        "messages, deep, of a kind": f"/messages?kind=MessageReceived&before={newest // 2}",
        "number": f"/messages?number=0{long_journal.SOUGHT[2:]}",
        "number that never was": "/messages?number=07700+900000",
        "id": f"/messages?id={dead.key.rpartition('/')[2]}",
        "beginning of an id": "/messages?id=00000",
        "state": "/messages?state=dead",
        "state with an error": f"/messages?state=dead&error={quote('no order 3')}",
        "error": f"/messages?error={quote('no order 3')}",
        "error that never was": "/messages?error=nonsense",
        "kind that never was": "/messages?kind=SubscriptionEvent",
        "account without a row": f"/messages?account={_OTHER_ACCOUNT}",
        "a day": f"/messages?since={day}&until={day}",
        "a minute long ago": f"/messages?since={quote(f'{day} 00:01')}&until={quote(f'{day} 00:01')}",
        "all fields": "/messages?" + urlencode({"number": long_journal.SOUGHT, "state": "done", "since": "7d"}),
        "a message": f"/messages/{dead.seq}",
        "dead, grouped": "/dead",
        "waiting, grouped": "/waiting",
        "reconciliations": "/reconciliations",
        "destinations": "/destinations",
        "accounts": "/accounts",
        "settings": "/settings",
        "audit": "/audit",
        "CSV, first bytes": "/messages.csv",
        "JSON lines of an error, first bytes": f"/messages.jsonl?error={quote('no order 3')}",
        "metrics": "/metrics",
    }


def _filled(stack: ExitStack, engine: str, rows: int, told: Callable[[str], None]) -> tuple[str, Callable[[], float]]:
    """Make a journal; return its URL and what says how much CPU time its server has used."""
    if engine == "postgresql":
        server = stack.enter_context(running(PostgreSQL))
        url, used = server.database(), lambda: _cpu_with_children(server.processes)
    else:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url, used = f"sqlite:///{folder}/journal.db", lambda: 0.0
    told(f"filling a journal with {rows:,} rows: {engine}")
    long_journal.make(url, rows)
    return url, used


@contextmanager
def _serving(url: str, database_cpu: Callable[[], float]) -> Iterator[Served]:
    """Serve the console on its real listener, and log an operator in."""
    user = {"name": "olga", "password": SecretStr(str(PasswordHash.of(_PASSWORD, ln=4))), "role": "operator"}
    accounts = tuple(AccountSettings(reference=each, anonymous=True) for each in (long_journal.ACCOUNT, _OTHER_ACCOUNT))
    settings = Settings(
        journal=JournalSettings(url=SecretStr(url)),
        account=accounts,
        console=ConsoleSettings.model_validate({"port": 0, "user": [user]}),
    )
    with Journal(url) as journal:
        memory = SharedMemory()
        MetricsSlot(memory).note(Status.SERVING)
        ready = health.Health(journal, memory.statuses)
        metrics = exposition.Exposition(memory, journal, ready, [each.reference for each in accounts])
        app = application.build(settings, journal, ready, metrics)
        listener = ConsoleListener(app, listen("127.0.0.1", 0))
        listener.start()
        try:
            yield Served(listener.port, _log_in(listener.port), app, journal, database_cpu)
        finally:
            listener.stop(5)


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process, to the nanosecond; 0 where it has just ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return 0.0


def _cpu_with_children(processes: Sequence[int]) -> float:
    """Return the CPU seconds of a server: of its processes, and of those that have ended, to a hundredth."""
    ended = Path(f"/proc/{processes[0]}/stat").read_text().rpartition(")")[2].split()[13:15]
    return sum(map(_cpu_of, processes)) + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def _log_in(port: int) -> str:
    """Return the cookie of an operator."""
    form = _answer(port, "/login", "")
    cookie = form[1].partition(";")[0]
    token = form[2].partition(b'name="csrf" value="')[2].partition(b'"')[0].decode()
    fields = urlencode({"csrf": token, "name": "olga", "password": _PASSWORD})
    status, cookie, _ = _answer(port, "/login", cookie, fields)
    if status != 303:
        raise RuntimeError(f"the login was answered {status}")
    return cookie.partition(";")[0]


def _answer(
    port: int, path: str, cookie: str, form: str | None = None, most: int | None = None
) -> tuple[int, str, bytes]:
    """Return the status, the cookie that was set, and the body or its first bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Cookie": cookie, "Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("GET" if form is None else "POST", path, form, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Set-Cookie", ""), answer.read(most)
    finally:
        connection.close()


def _row(engine: str, name: str, path: str, served: Served, rounds: int) -> dict[str, Any]:
    """Ask for one page some times; the first may find cold caches, and counts too."""
    taken, used = [], []
    for _ in range(rounds):
        if path == "/":
            served.app.extensions.pop(overview.LOOKS, None)
        began, cpu, database = time.perf_counter(), time.process_time(), served.database_cpu()
        is_file = path.startswith(("/messages.csv", "/messages.jsonl"))
        status, _, body = _answer(served.port, path, served.cookie, most=_FIRST_BYTES if is_file else None)
        taken.append((time.perf_counter() - began) * 1e3)
        used.append((time.process_time() - cpu + served.database_cpu() - database) * 1e3)
        if status != 200 or not body:
            raise RuntimeError(f"{path} was answered {status}")
    row = {
        "engine": engine,
        "page": name,
        "median_ms": statistics.median(taken),
        "worst_ms": max(taken),
        "cpu_ms": statistics.median(used),
        "worst_cpu_ms": max(used),
    }
    verdicts = [targets.at_most(row, figure, targets.CONSOLE_PAGE) for figure in ("median_ms", "cpu_ms")]
    return targets.with_verdicts(row, verdicts)
