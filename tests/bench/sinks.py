"""Sinks: notifications a second to a real peer in another process, beside a bare loop of the peer's own library.

A backlog is in the journal before the service starts; the rate is that from the first delivery to the last.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soap_handler.journal import Entry, Journal
from soap_handler.notifications import MessageReceived
from soap_handler.settings.sinks import SqlSettings
from soap_handler.sinks.sql import Sql
from tests.bench import books, load, processes, targets
from tests.bench.candidates import ROOT
from tests.support.postgresql import PostgreSQL, programs, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

THREADS: Final = 8
ORDERS: Final = ("originator", "none")
_PATIENCE: Final = 300.0
_PROGRAM: Final = "/bin/cat"


class NoPeerError(RuntimeError):
    """The peer of a sink is not on this machine; the text says which."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A destination that runs."""

    address: str
    """For the bare loop."""
    settings: str
    """Of the sink, as TOML."""


@contextmanager
def peer(kind: str, folder: Path) -> Iterator[Peer]:
    """Run the peer of a type of sink.

    Raises:
        NoPeerError: it is not on this machine.
    """
    with ExitStack() as everything:
        yield _PEERS[kind](folder, everything)


def _web(path: str, more: str) -> Callable[[Path, ExitStack], Peer]:
    def start(_folder: Path, everything: ExitStack) -> Peer:
        node = shutil.which("node")
        if node is None:
            raise NoPeerError("node is not installed")
        script = str(Path(__file__).with_name("hook.mjs"))
        process = everything.enter_context(subprocess.Popen([node, script], stdout=subprocess.PIPE, text=True))
        everything.callback(process.kill)
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/{path}"
        return Peer(url, f'url = "{url}"\n{more}')

    return start


def _broker(folder: Path, everything: ExitStack) -> Peer:
    try:
        from tests.sinks.rabbitmq import RabbitMq, is_installed  # noqa: PLC0415 - needs pika
    except ImportError as error:
        raise NoPeerError("pika is not installed") from error
    if not is_installed():
        raise NoPeerError("RabbitMQ is not installed")
    own = folder / "rabbitmq"
    own.mkdir()
    node = RabbitMq(own)
    everything.callback(node.stop)
    node.start()
    return Peer(node.url, f'url = "{node.url}"\nrouting_key = "bench"\nqueue = "bench"\ndeclare = true\n')


def _database(_folder: Path, everything: ExitStack) -> Peer:
    programs()
    url = everything.enter_context(running(PostgreSQL)).database("bench")
    sink = Sql(SqlSettings.model_validate({"type": "sql", "url": url}))
    sink.create_table()
    sink.close()
    return Peer(url, f'url = "{url}"\n')


def _program(_folder: Path, _everything: ExitStack) -> Peer:
    return Peer(_PROGRAM, f'command = ["{_PROGRAM}"]\n')


def _directory(folder: Path, _everything: ExitStack) -> Peer:
    spool, beside = folder / "spool", folder / "bare"
    spool.mkdir()
    beside.mkdir()
    return Peer(str(beside), f'directory = "{spool}"\n')


_PEERS: Final[dict[str, Callable[[Path, ExitStack], Peer]]] = {
    "webhook": _web("sms", f'secrets = [{{ secret = "whsec_{"A" * 32}" }}]\n'),
    "soap": _web("AccountEventHandler.asmx", 'username = "u"\npassword = "p"\n'),
    "amqp": _broker,
    "sql": _database,
    "command": _program,
    "files": _directory,
}
SINKS: Final = tuple(_PEERS)


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of a sink."""

    sink: str
    order: str
    bare: float
    """Messages a second that the bare loop brought to the peer, just before."""
    rate: float
    cpu_us: float
    """Of the service, for each notification."""
    missing: int


def campaign(sinks: Sequence[str], rounds: int, messages: int, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return a row for each sink and order; the medians count."""
    rows = []
    for kind in sinks:
        readings: dict[str, list[Reading]] = {order: [] for order in ORDERS}
        for number in range(rounds):
            told(f"{kind}, round {number + 1}")
            for order in ORDERS:
                readings[order].append(measure(kind, order, messages))
        rows += [_row(each) for each in readings.values()]
    return rows


def measure(kind: str, order: str, messages: int) -> Reading:
    """Run the bare loop, then the sink, both with the same peer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with peer(kind, folder) as found:
            beside = _bare(kind, found.address, messages)
            rate, cpu_us, missing = _deliver(folder, delivery_to(kind, found, order), messages)
            return Reading(kind, order, beside, rate, cpu_us, missing)


def _bare(kind: str, address: str, messages: int) -> float:
    command = [sys.executable, "-m", "tests.bench.bare", kind, address, str(messages), str(THREADS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return messages / float(ended.stdout)


def _deliver(folder: Path, delivery: str, messages: int) -> tuple[float, float, int]:
    """Return how many notifications a second arrive, the CPU time of each in microseconds, and how many are missing."""
    journal = f"sqlite:///{folder}/journal.db"
    fill(journal, messages)
    with processes.service(folder, None, delivery=delivery) as service:
        before = service.used().cpu
        books.wait_until_done(journal, _PATIENCE)
        used = service.used().cpu - before
    rate = (messages - 1) / books.delivering_seconds(journal)
    missing = messages - books.number(journal, "SELECT count(*) FROM notification WHERE state = 'done'")
    return rate, used / messages * 1e6, missing


def delivery_to(kind: str, found: Peer, order: str = "originator") -> str:
    """Return the tables of the configuration that bring everything to a peer."""
    return (
        f'[dispatch]\norder = "{order}"\n[[route]]\nsink = "peer"\n'
        f'[sink.peer]\ntype = "{kind}"\nconcurrency = {THREADS}\n{found.settings}'
    )


def fill(url: str, messages: int) -> None:
    """Store so many messages of many originators, as pushes would have."""
    dice = random.Random(1)  # noqa: S311 - repeatable
    now = datetime.now(UTC)
    with Journal(url) as journal:
        for begin in range(0, messages, 500):
            journal.record_all([_entry(dice, now) for _ in range(min(500, messages - begin))])


def _entry(dice: random.Random, now: datetime) -> Entry:
    message = MessageReceived(
        account="EX0012345",
        id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        originator=f"4477009{dice.randrange(100_000):05}",
        recipient="447786204254",
        body="vote for number 7 good luck and thanks",
        sent_at=now,
        received_at=now,
    )
    return Entry(message, now)


def _row(readings: Sequence[Reading]) -> dict[str, Any]:
    names = ("bare", "rate", "cpu_us")
    medians = {name: statistics.median(getattr(each, name) for each in readings) for name in names}
    missing = sum(each.missing for each in readings)
    ratio = statistics.median(each.rate / each.bare for each in readings)
    row = asdict(readings[0]) | medians | {"missing": missing, "ratio": ratio}
    return targets.with_verdicts(row, [targets.at_least(row, "ratio", targets.SINK)])


def burst(rounds: int, seconds: float, connections: int) -> list[dict[str, Any]]:
    """Return how many pushes a second come in with handlers that do nothing, and with a web hook as the sink."""
    rates: dict[str, list[float]] = {"handlers": [], "webhook": []}
    for _ in range(rounds):
        for name, found in rates.items():
            with tempfile.TemporaryDirectory() as folder, ExitStack() as everything:
                into = Path(folder)
                hook = None if name == "handlers" else everything.enter_context(peer("webhook", into))
                delivery = None if hook is None else delivery_to("webhook", hook)
                service = everything.enter_context(processes.service(into, None, delivery=delivery))
                load.warm_up(service.url, connections)
                found.append(load.push(service.url, connections, seconds).rate)
    ratio = statistics.median(with_sink / alone for alone, with_sink in zip(*rates.values(), strict=True))
    row = {"connections": connections, **{name: statistics.median(found) for name, found in rates.items()}}
    row["ratio"] = ratio
    return [targets.with_verdicts(row, [targets.at_least(row, "ratio", targets.BURST_WITH_SINK)])]
