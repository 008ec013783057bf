"""Who may push, what is stored before the answer, and what happens when nothing can be stored."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soap_handler.contract import NAMESPACE
from soap_handler.settings import ServerSettings
from tests.faces.soap.answers import assert_proper
from tests.support.database import each_commit
from tests.support.events import captured_events
from tests.support.service import Service, serving, settings_for
from tests.support.waiting import wait_for
from tests.support.wire import (
    NUMBER,
    OTHER_PASSWORD,
    OTHER_REFERENCE,
    OTHER_USERNAME,
    PASSWORD,
    REFERENCE,
    USERNAME,
    Connection,
    envelope,
    header,
    message,
    operation,
    post,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection as DatabaseConnection

REFUSED = {
    "no header": "",
    "a wrong password": header(password="guess"),
    "a password in another case": header(password=PASSWORD.upper()),
    "a password with white space": header(password=f" {PASSWORD} "),
    "no password": header(password=""),
    "only the password's beginning": header(password=PASSWORD[:-1]),
    "a wrong user name": header(username="sme"),
    "a user name in another case": header(username=USERNAME.upper()),
    "an unknown account": header(account="EX9999999"),
    "no account": header(account=""),
    "the right password of another account": header(OTHER_USERNAME, OTHER_PASSWORD),
    "another account with our password": header(account=OTHER_REFERENCE),
    "an empty header": f'<MessengerHeader xmlns="{NAMESPACE}"/>',
    "a header of another name": header().replace("MessengerHeader", "Messenger"),
    "a password for an account": header(account=PASSWORD),
    "markup for a password": header(password="<b/>"),
    "a very long password": header(password="x" * 100_000),
    "an unknown number": header(account="447700900999"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_caller_that_is_not_ems_is_refused(service: Service, case: str) -> None:
    """Always in the same words, counted, logged with the caller's address; nothing is stored, no secret is logged."""
    with captured_events() as logs:
        answer = service.post(envelope(head=REFUSED[case]))
    assert_proper(answer)
    assert (answer.status, answer.fault) == (500, ("Client", "Authentication failed"))
    assert service.app.journal.counts() == {}
    (entry,) = (each for each in logs if each["event"] == "authentication_failed")
    assert entry["size"] == len(envelope(head=REFUSED[case]))
    assert (entry["caller"], entry["operation"], entry["log_level"]) == ("127.0.0.1", "MessageReceived", "warning")
    logged = repr([each for each in logs if each["event"] != "serving"])  # its port may look like a number
    assert [word for word in (PASSWORD, OTHER_PASSWORD, "guess", "447", "x" * 10) if word in logged] == []


@pytest.mark.parametrize(
    ("account", "password", "presented"),
    [
        ("EX0099999", "guess", "EX0099999"),
        (" ex0099999\n", "guess", "ex0099999"),
        ("447700900999", "guess", "a number of 12 digits that ends in 999"),
        ("+447700900999", "guess", "a number of 12 digits that ends in 999"),
        (PASSWORD, PASSWORD, "a text of 6 characters, 1 of them digits"),
        ("EX0099999", "EX0099999", "a text of 9 characters, 7 of them digits"),
        ("A customer's message\n", "guess", "a text of 20 characters, 0 of them digits"),
        ("", "guess", "none"),
        (REFERENCE, "guess", None),
    ],
)
def test_the_name_that_no_account_has_is_logged(
    service: Service, account: str, password: str, presented: str | None
) -> None:
    """A missing alias is found by the log; a text that may be a password, or a person's number, is only described."""
    with captured_events() as logs:
        assert service.post(envelope(head=header(account=account, password=password))).fault is not None
    (entry,) = (each for each in logs if each["event"] == "authentication_failed")
    assert (entry["presented"], entry["account"]) == (presented, None if presented else REFERENCE)


def test_all_refusals_are_the_same_bytes(service: Service) -> None:
    """The answer does not tell whether the account, the user name or the password was wrong."""
    cases = ["no header", "no account", "an unknown account", "a wrong password", "no password", "a wrong user name"]
    assert len({service.post(envelope(head=REFUSED[case])).body for case in cases}) == 1


def test_each_refusal_is_counted(service: Service) -> None:
    """The log line carries how many there were."""
    with captured_events() as logs:
        for _ in range(3):
            service.post(envelope(head=""))
    first, second, third = (each["count"] for each in logs if each["event"] == "authentication_failed")
    assert (second, third) == (first + 1, first + 2)


@pytest.mark.parametrize("account", [REFERENCE, REFERENCE.lower(), NUMBER, f" {REFERENCE}\n"])
def test_either_name_of_an_account_is_its_reference_afterwards(shared: Service, account: str) -> None:
    """EMS may send the reference or the number, and letter case does not count (contract, section 4)."""
    told = shared.take(envelope(operation(id=str(uuid.uuid4())), header(account=account)))
    assert told.account == REFERENCE


def test_one_message_under_both_names_of_its_account_is_one(shared: Service) -> None:
    """The key holds the reference, whichever name came."""
    known = sum(shared.app.journal.counts().values())
    body = operation(id=str(uuid.uuid4()))
    for account in (REFERENCE, NUMBER):
        assert shared.post(envelope(body, header(account=account))).confirms
    assert sum(shared.app.journal.counts().values()) == known + 1


def test_one_id_in_two_accounts_is_two_messages(shared: Service) -> None:
    """Ids are unique within an account."""
    known = sum(shared.app.journal.counts().values())
    body = operation(id=str(uuid.uuid4()))
    for head in (header(), header(OTHER_USERNAME, OTHER_PASSWORD, OTHER_REFERENCE)):
        assert shared.post(envelope(body, head)).confirms
    assert sum(shared.app.journal.counts().values()) == known + 2


def test_a_good_push_logs_nothing_of_its_content(shared: Service) -> None:
    """Bodies, numbers and passwords stay out of the log."""
    with captured_events() as logs:
        shared.take(message(id=str(uuid.uuid4()), body="a private matter"))
    assert [word for word in ("private", "447", PASSWORD) if word in repr(logs)] == []


# -- commits ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the journal's write lock from another connection."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


class Recorded:
    """Counts how many notifications each transaction of a service put in."""

    def __init__(self) -> None:
        self.transactions: list[int] = []
        self._stored = 0

    def committing(self, connection: DatabaseConnection) -> None:
        (stored,) = connection.connection.cursor().execute("SELECT count(*) FROM notification").fetchone()
        if stored > self._stored:
            self.transactions.append(stored - self._stored)
            self._stored = stored


def test_requests_that_arrive_together_share_a_commit_and_are_answered_after_it(tmp_path: Path) -> None:
    """While one transaction waits for the disk the others queue up, and the next takes them all."""
    callers = 6
    settings = settings_for(tmp_path, server=ServerSettings(port=0, threads=callers))
    with serving(settings) as service, contextlib.ExitStack() as stack:
        recorded = Recorded()
        stack.enter_context(each_commit(f"sqlite:///{tmp_path / 'journal.db'}", recorded.committing))
        connections = [stack.enter_context(Connection(service.port)) for _ in range(callers)]
        with locked(tmp_path):
            for connection in connections:
                connection.send(request(message(id=str(uuid.uuid4()))))
            wait_for(lambda: len(service.submitted) == callers)
            connections[0].socket.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connections[0].socket.recv(1)
            connections[0].socket.settimeout(10)
            assert recorded.transactions == []
        assert [connection.answer().confirms for connection in connections] == ["MessageReceived"] * callers
        assert sum(recorded.transactions) == callers
        assert len(recorded.transactions) <= 2


def test_every_answer_comes_after_its_commit(tmp_path: Path) -> None:
    """Whenever a 200 is read, another connection to the database sees the notification."""
    query = "SELECT count(*) FROM notification WHERE message_id = ?"
    with (
        serving(settings_for(tmp_path)) as service,
        contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as other,
    ):
        for _ in range(50):
            identity = str(uuid.uuid4())
            assert service.post(message(id=identity)).confirms
            assert other.execute(query, (identity,)).fetchone() == (1,)


def test_a_locked_journal_is_a_server_fault_and_recovers(tmp_path: Path) -> None:
    """EMS is asked to come back; when it does, the notification is taken, and handled once."""
    body = message(id=str(uuid.uuid4()))
    with serving(settings_for(tmp_path, commit_within=0.3)) as service:
        with locked(tmp_path):
            for _ in range(2):
                answer = service.post(body)
                assert_proper(answer)
                assert answer.fault == ("Server", "The notification could not be stored; please send it again")
            assert service.post(envelope(head="")).fault == ("Client", "Authentication failed")
        wait_for(lambda: service.post(body).confirms)
        wait_for(lambda: service.handled)
        assert sum(service.app.journal.counts().values()) == 1
        told = service.take(message(id=str(uuid.uuid4())))
        assert [each.key for each in service.handled].count(told.key) == 1
        assert len(service.handled) == 2


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from soap_handler import logs
from tests.support.service import Service, settings_for

logs.configure("warning", "text")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
service = Service(settings_for(folder, commit_within=2))
service.start()
print(service.port, flush=True)
for line in sys.stdin:
    if line.startswith("full"):  # no file may grow beyond what the journal has now, as on a full disk
        size = max(path.stat().st_size for path in folder.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(line.strip(), flush=True)
service.stop()
"""


def test_a_full_disk_is_a_server_fault_and_loses_nothing(tmp_path: Path) -> None:
    """The process stays up, recovers when there is room again, and what it answered 200 is in the journal."""
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "data")]
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": str(root), "PATH": ""}
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def tell(word: str) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
            while (line := process.stdout.readline().strip()) != word:
                assert line, (tmp_path / "log").read_text()

        port = int(process.stdout.readline())
        acknowledged = [push(port) for _ in range(20)]
        assert all(acknowledged)
        tell("full")
        answers = [push(port, large=True) for _ in range(20)]
        assert not all(answers)
        tell("room")
        wait_for(lambda: push(port))
        acknowledged += [*answers, *(push(port) for _ in range(5))]
        process.stdin.close()
        assert process.wait(20) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "journal.db")) as journal:
        stored = {row[0] for row in journal.execute("SELECT message_id FROM notification")}
    assert set(filter(None, acknowledged)) <= stored


def push(port: int, *, large: bool = False) -> str | None:
    """Push a new message; return its id when that was confirmed."""
    identity = str(uuid.uuid4())
    answer = post(port, message(id=identity, body="x" * 10_000 if large else "x"))
    assert_proper(answer)
    assert answer.confirms or answer.fault == ("Server", "The notification could not be stored; please send it again")
    return identity if answer.confirms else None


def test_many_callers_at_once_lose_and_double_nothing(service: Service) -> None:
    """Each of many messages, pushed by several callers at once, is stored and handled once."""
    ids = [str(uuid.uuid4()) for _ in range(60)]

    def push_all(mine: list[str]) -> None:
        with Connection(service.port) as connection:
            for identity in mine:
                assert connection.ask(request(message(id=identity))).confirms

    orders = [ids, ids[::-1], ids[30:] + ids[:30]]
    callers = [threading.Thread(target=push_all, args=(order,)) for order in orders]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_for(lambda: len(service.handled) >= len(ids))
    service.stop()
    assert sorted(getattr(each, "id", "") for each in service.handled) == sorted(ids)
