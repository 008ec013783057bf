"""The journal's files as a crash of the machine leaves them, rebuilt from the record that ``disk.c`` keeps.

Certain to be there is what was synced, and names in the folder only once the folder was. Of the rest, anything may be
there: nothing, all, or any part of it in sectors of 512 bytes; of the changes to the folder, the first ones.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.campaigns.figures import SkippedError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

CREATED, FOUND, WRITTEN, TRUNCATED, SYNCED, UNLINKED, FOLDER_SYNCED = range(1, 8)
_EVENT: Final = struct.Struct("=qiiqq")
_SECTOR: Final = 512
LIBRARY: Final = "disk.so"
STALLED: Final = "stalled"
"""The name of the flag while which no sync returns."""


class Event(NamedTuple):
    """One thing that happened to the journal's files."""

    nanoseconds: int
    """On the monotonic clock, which all processes share."""
    what: int
    file: int
    offset: int
    data: bytes


def library(folder: Path) -> Path:
    """Compile what is preloaded into the service.

    Raises:
        SkippedError: there is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SkippedError("there is no C compiler (gcc), by which the writes of the service are recorded")
    built, source = folder / LIBRARY, Path(__file__).with_name("disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-U_FORTIFY_SOURCE", "-o", built, source, "-ldl"], check=True)
    return built


def environment(library_: Path, journal: Path, log: Path, full: Path) -> dict[str, str]:
    """Return the variables under which a process records what it writes to the journal.

    ``full`` is the flag that leaves no room; the flag ``stalled`` beside it lets no sync return.
    """
    return {
        "LD_PRELOAD": str(library_), "DISK_JOURNAL": str(journal), "DISK_LOG": str(log), "DISK_FULL": str(full),
        "DISK_STALLED": str(full.with_name(STALLED)),
    }  # fmt: skip


def events(log: Path) -> Iterator[Event]:
    """Yield what was recorded; a last event that is not whole did not happen."""
    with log.open("rb") as record:
        while len(head := record.read(_EVENT.size)) == _EVENT.size:
            nanoseconds, what, file, offset, length = _EVENT.unpack(head)
            data = record.read(length) if what in {CREATED, FOUND, WRITTEN, UNLINKED} else b""
            if what in {CREATED, FOUND, WRITTEN, UNLINKED} and len(data) < length:
                return
            yield Event(nanoseconds, what, file, offset, data)


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Event] = field(default_factory=list)


class Disk:
    """The journal's files, with what is certain and what is pending."""

    def __init__(self, folder: Path) -> None:
        """Begin with the files of a folder, all of them synced."""
        self._names: dict[str, _File] = {
            str(path): _File(bytearray(path.read_bytes())) for path in folder.iterdir() if not _is_index(path)
        }
        self._now = dict(self._names)
        self._files: dict[int, _File] = {}
        self._pending: list[tuple[str, _File | None]] = []  # changes to the folder; None: unlinked

    def take(self, event: Event) -> None:
        """Let an event happen."""
        name = event.data.decode() if event.what in {CREATED, FOUND, UNLINKED} else ""
        match event.what:
            case 1:  # CREATED
                self._files[event.file] = self._now[name] = _File()
                self._pending.append((name, self._now[name]))
            case 2:  # FOUND
                self._files[event.file] = self._now[name]
            case 6:  # UNLINKED
                self._now.pop(name, None)
                self._pending.append((name, None))
            case 7:  # FOLDER_SYNCED
                self._names, self._pending = dict(self._now), []
            case 5:  # SYNCED
                file = self._files[event.file]
                for change in file.pending:
                    _apply(file.synced, change)
                file.pending = []
            case _:
                self._files[event.file].pending.append(event)

    def after_a_crash(self, rng: random.Random) -> dict[str, bytes]:
        """Return names and contents as they may be found after a crash at this moment."""
        how = rng.choice(["nothing more", "all", "any part"])
        names: dict[str, _File | None] = dict(self._names)
        changes = {"nothing more": 0, "all": len(self._pending)}.get(how, rng.randint(0, len(self._pending)))
        names |= dict(self._pending[:changes])
        return {name: _found(file, how, rng) for name, file in names.items() if file is not None}


def _found(file: _File, how: str, rng: random.Random) -> bytes:
    content = bytearray(file.synced)
    if how == "nothing more":
        return bytes(content)
    for change in file.pending:
        if how == "all":
            _apply(content, change)
        elif change.what == WRITTEN:
            for part in _sectors(change, rng):
                _apply(content, part)
        elif rng.random() < 0.5:
            _apply(content, change)
    return bytes(content)


def _sectors(change: Event, rng: random.Random) -> Iterable[Event]:
    """Return a part of a write: all, none, or some sectors of it."""
    dice = rng.random()
    if dice < 0.35:
        return [change]
    if dice < 0.6:
        return []
    starts = range(0, len(change.data), _SECTOR)
    parts = [change._replace(offset=change.offset + at, data=change.data[at : at + _SECTOR]) for at in starts]
    return [part for part in parts if rng.random() < 0.5]


def _apply(content: bytearray, change: Event) -> None:
    if change.what == TRUNCATED:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    end = change.offset + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.offset : end] = change.data


def put(image: dict[str, bytes], folder: Path) -> None:
    """Make a folder hold these files, under their own names, and no others of the journal's."""
    for path in folder.iterdir():
        path.unlink()
    for name, content in image.items():
        with (folder / Path(name).name).open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())


def _is_index(path: Path) -> bool:
    return path.name.endswith("-shm")
