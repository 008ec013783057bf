"""A notification that kills the process: it goes dead by itself, and what was claimed beside it is handled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CRASHING = """
import json, os, sys, time, uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, text

from soap_handler.dispatch.destination import of_handlers
from soap_handler.dispatch.dispatcher import Dispatcher
from soap_handler.dispatch.handlers import Handlers
from soap_handler.journal import Entry, Journal, Selection, State
from soap_handler.notifications import MessageReceived
from soap_handler.settings import HandlerSettings

OTHERS, ATTEMPTS = 146, json.loads(sys.argv[1])
url = "sqlite:///journal.db"
called = os.open("called", os.O_CREAT | os.O_APPEND | os.O_WRONLY)


def message(number):
    return MessageReceived(account="EX", id=str(uuid.UUID(int=number + 1)), body=str(number), originator=str(number))


def handle(told):
    os.write(called, f"{told.body}\\n".encode())
    if told.body == "70":
        os._exit(3)


def serve_once():
    handlers = Handlers()
    handlers.all_kinds(handle)
    settings = HandlerSettings(threads=4, max_attempts=ATTEMPTS)
    with Journal(url) as journal:
        dispatcher = Dispatcher(journal, of_handlers(handlers, settings), lambda _: False)
        dispatcher.pool._handler_seconds = 0.0  # as after many quick ones: claims are large
        dispatcher.start()
        while journal.records(Selection(state=State.RECEIVED), 1):
            time.sleep(0.02)
        dispatcher.stop(5)


with Journal(url) as journal:
    journal.record_all([Entry(message(number), datetime.now(UTC)) for number in range(OTHERS + 1)])
deaths = 0
while True:
    child = os.fork()
    if child == 0:
        serve_once()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    deaths += 1
    assert deaths < 20
    engine = create_engine(url)
    with engine.begin() as connection:  # the leases run out
        connection.execute(text("UPDATE notification SET due_at = 1 WHERE owner IS NOT NULL"))
    engine.dispose()

with Journal(url) as journal:
    records = journal.records(Selection())
    (dead,) = [record for record in records if record.state is State.DEAD]
    told = {
        "deaths": deaths,
        "dead": [dead.notification.body, dead.attempts, journal.history(dead.seq)[-1].outcome],
        "states": Counter(record.state for record in records),
        "attempts": max(record.attempts for record in records if record is not dead),
        "calls": Counter(Path("called").read_text().split())["70"],
        "called": len(set(Path("called").read_text().split())),
    }
print(json.dumps(told))
"""


@pytest.mark.parametrize(("allowed", "attempts"), [(3, 3), (None, 10)], ids=["as set", "unset"])
def test_only_what_kills_the_process_goes_dead(tmp_path: Path, allowed: int | None, attempts: int) -> None:
    """146 others are claimed beside it: each is handled, at its first counted attempt.

    At the first death nothing tells which of many it was. From then on they are called one at a time, and it dies after
    as many attempts as are allowed; where that is left to the time that retries may take, after ten.
    """
    (tmp_path / "crashing.py").write_text(CRASHING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "crashing.py", json.dumps(allowed)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["dead"] == ["70", attempts, "dead"]
    assert told["states"] == {"done": 146, "dead": 1}
    assert (told["deaths"], told["calls"], told["attempts"], told["called"]) == (attempts + 1, attempts + 1, 1, 147)
