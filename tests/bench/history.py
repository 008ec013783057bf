"""Receiving and claiming with a long history of what is done, beside an empty journal, on SQLite."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soap_handler.ems import believable_notifications
from soap_handler.journal import Entry, Journal, Settlement, State, Step
from soap_handler.notifications import Kind, MessageReceived
from tests.bench import books, load, processes, targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from soap_handler.journal import Claim

_BATCH: Final = 32
_LEASE: Final = timedelta(hours=1)
_messages: Final = believable_notifications("EX0012345", random.getrandbits(64), mix={Kind.MESSAGE_RECEIVED: 1})
_PATIENCE: Final = 600.0  # seconds for working off what a burst left


def campaign(done: int, turns: int, rounds: int, seconds: float, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the median times with nothing and with so many rows done, taken in turns, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        told(f"filling a journal with {done:,} rows")
        folders = [Path(folder) / name for name in ("empty", "full")]
        for each, rows in zip(folders, (0, done), strict=True):
            each.mkdir()
            Journal(_url(each)).close()
            books.fill(_url(each), rows)
        told(f"the journal alone, {turns} turns")
        alone = _in_turns(folders, turns)
        told(f"the service, {rounds} rounds")
        served = {f"push, {_BATCH} connections": _served(folders, rounds, seconds)}
        return [_row(name, *times) for name, times in (alone | served).items()]


def _url(folder: Path) -> str:
    return f"sqlite:///{folder}/journal.db"


def _both_ways(times: int) -> Iterator[tuple[int, int]]:
    """Yield which of two comes first and which second, so that neither always finds the disk as the other left it."""
    yield from ((0, 1) if number % 2 else (1, 0) for number in range(times))


# -- the journal alone ------------------------------------------------------------------------------------------------


def _in_turns(folders: Sequence[Path], turns: int) -> dict[str, list[list[float]]]:
    """Return the seconds of each step: a list for each journal."""
    taken: dict[str, list[list[float]]] = {}
    with ExitStack() as opened:
        journals = [opened.enter_context(Journal(_url(folder))) for folder in folders]
        for turn, order in enumerate(_both_ways(turns)):
            for which in order:
                for step, seconds in _turn(journals[which], turn).items():
                    taken.setdefault(step, [[], []])[which].append(seconds)
    return taken


def _turn(journal: Journal, turn: int) -> dict[str, float]:
    """Return the seconds of each step; afterwards the journal has nothing to do, as before."""
    first, *batch = [_entry(turn * (_BATCH + 1) + number) for number in range(_BATCH + 1)]
    claims: list[Claim] = []
    taken = {
        "record 1": _seconds(lambda: journal.record(first)),
        f"record {_BATCH}": _seconds(lambda: journal.record_all(batch)),
    }
    taken |= {
        "claim 1": _seconds(lambda: claims.extend(journal.claim(1, _LEASE, in_order=True))),
        f"claim {_BATCH}": _seconds(lambda: claims.extend(journal.claim(_BATCH, _LEASE, in_order=True))),
    }
    moment = datetime.now(UTC)
    settled = journal.settle([Settlement(each, Step.HANDLE, State.DONE, None, moment, moment) for each in claims])
    assert settled == [True] * (_BATCH + 1)
    return taken


def _entry(number: int) -> Entry:
    """Return a message of an originator of its own: none waits for another."""
    message = next(_messages)
    assert isinstance(message, MessageReceived)
    return Entry(replace(message, originator=f"4477009{number:05}"), datetime.now(UTC))


def _seconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


# -- the service ------------------------------------------------------------------------------------------------------


def _served(folders: Sequence[Path], rounds: int, seconds: float) -> list[list[float]]:
    """Return the seconds for each push that is answered 200: a list for each journal."""
    taken: list[list[float]] = [[], []]
    for order in _both_ways(rounds):
        for which in order:
            taken[which].append(_push(folders[which], seconds))
    return taken


def _push(folder: Path, seconds: float) -> float:
    with processes.script("tests.bench.inbox") as inbox, processes.service(folder, inbox.url) as service:
        load.warm_up(service.url, _BATCH)
        books.wait_until_done(_url(folder), _PATIENCE)
        seen = load.push(service.url, _BATCH, seconds)
        books.wait_until_done(_url(folder), _PATIENCE)
    return seen.seconds / max(1, seen.answered)


def _row(step: str, empty: list[float], full: list[float]) -> dict[str, Any]:
    before, after = statistics.median(empty), statistics.median(full)
    row = {"step": step, "empty_ms": before * 1e3, "full_ms": after * 1e3, "ratio": after / before}
    return targets.with_verdicts(row, [targets.at_most(row, "ratio", targets.HISTORY)])
