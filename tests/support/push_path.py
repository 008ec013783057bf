"""The path of one push through the source: the files from the socket to the commit, and on to the inbox."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import soap_handler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

_ROOT: Final = Path(soap_handler.__file__).parent
_FIRST: Final = ("server/channel.py", "Channel.received")  # bytes have come out of the socket
_THREADS: Final = ("waitress-", "journal")  # in which the push goes on from there
_COMMIT: Final = ("journal/group_commit.py", "GroupCommit.commit")  # the thread begins a transaction
_INSERT: Final = "journal/insert.py"
_APART: Final = ("ems/", "app.py")  # the sender, and what is only there to put the parts together
_BESIDE: Final = ("reconcil", "retention", "MainThread")  # threads that a push does not go through


@dataclass(frozen=True)
class Step:
    """A call from one file of the package into another one."""

    caller: str
    """Empty where the caller is waitress or a thread."""
    file: str
    function: str


@dataclass
class PushPath:
    """What was seen of one push."""

    steps: list[Step] = field(default_factory=list)
    calls: int = 0
    """How many functions of the package were called."""

    @property
    def files(self) -> list[str]:
        """The files, in the order in which they were entered first."""
        return list(dict.fromkeys(step.file for step in self.steps))

    @property
    def entered_again(self) -> list[Step]:
        """Steps into a file that the path had been in before, other than by return.

        The same call again is a loop, and what waitress calls goes on where the push was handed to waitress.
        """
        seen: set[str] = set()
        again = []
        for number, step in enumerate(self.steps):
            if step.file in seen and step.caller and step not in self.steps[:number]:
                again.append(step)
            seen.add(step.file)
        return again


class _Recorder:
    def __init__(self, path: PushPath) -> None:
        self._path = path
        self._state = "waiting"  # then "receiving", "serving" and "done"
        self._lock = threading.Lock()
        self._other: list[Step] = []  # steps of the journal's thread in the present transaction

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event not in {"call", "return"} or self._state == "done":
            return
        code = frame.f_code
        if event == "return":
            if (_file(code), code.co_qualname) == _FIRST and self._state == "receiving":
                self._state = "serving"
        elif code.co_name == "set_result" and threading.current_thread().name == "journal":
            self._committed()
        else:
            self._called(frame, code)

    def _committed(self) -> None:
        """Take the steps of a transaction that stored the push, and drop those of any other."""
        with self._lock:
            if any(step.file == _INSERT for step in self._other):
                self._path.steps += self._other
                self._state = "done"
            self._other.clear()

    def _called(self, frame: FrameType, code: CodeType) -> None:
        file = _file(code)
        if file is None:
            return
        if (file, code.co_qualname) == _FIRST and self._state == "waiting":
            self._state = "receiving"
            self._thread = threading.get_ident()
        receiving = self._state == "receiving" and threading.get_ident() == self._thread
        name = threading.current_thread().name
        if receiving or (self._state in {"receiving", "serving"} and name.startswith(_THREADS)):
            caller = _caller(frame)
            with self._lock:
                if (file, code.co_qualname) == _COMMIT:
                    self._other.clear()  # what was done after the transaction before this one
                self._path.calls += 1
                if caller != file:
                    (self._other if name == "journal" else self._path.steps).append(
                        Step(caller or "", file, code.co_name)
                    )


def _file(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else None


def _caller(frame: FrameType) -> str | None:
    """Return the nearest file of the package that a call comes from, other libraries between them or not."""
    outer = frame.f_back
    while outer is not None:
        file = _file(outer.f_code)
        if file is not None:
            return file if file != "server/server.py" else None
        outer = outer.f_back
    return None


@contextmanager
def recorded_push() -> Iterator[PushPath]:
    """Record the first push of a service that is started inside."""
    path = PushPath()
    recorder = _Recorder(path)
    threading.setprofile(recorder)
    try:
        yield path
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


@contextmanager
def recorded_files() -> Iterator[set[str]]:
    """Record the files that the threads started inside enter, once the set is emptied."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        file = _file(frame.f_code) if event == "call" else None
        if file and not file.startswith(_APART) and not threading.current_thread().name.startswith(_BESIDE):
            files.add(file)

    threading.setprofile(note)
    try:
        yield files
    finally:
        threading.setprofile(None)


def lines_of(files: Iterable[str]) -> int:
    """Return how many lines these files of the package have."""
    return sum(len((_ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files)
