"""Where an error came from: a place for the log, frames for the history. Never a value or a message."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_PACKAGE: Final = str(Path(__file__).parents[1])
_LIBRARIES: Final = tuple(
    {_PACKAGE, *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))}
)
_PACKAGES_PARTS: Final = frozenset({"site-packages", "dist-packages"})
_FRAMES: Final = 20  # of one error, the last ones
_CAUSES: Final = 3  # of an error, each the reason for the one before

Frame = tuple[str, int, str]
"""A file, a line, and the name of the function."""


def place_of(error: BaseException) -> str:
    """Return where an error was raised, as ``file:line``: the last frame of the customer's own, or else the last."""
    frames = list(_frames(error.__traceback__))
    own = [frame for frame in frames if is_own(frame[0])]
    return next((f"{Path(file).name}:{line}" for file, line, _ in reversed(own or frames)), "?")


def own_place_of(error: BaseException) -> str | None:
    """Return the whole path and the line of the last frame of the customer's own; ``None`` where there is none."""
    own = [f"{file}, line {line}" for file, line, _ in _frames(error.__traceback__) if is_own(file)]
    return own[-1] if own else None


def trace_of(error: BaseException) -> str:
    """Return the frames of an error and of its causes, oldest first, a line each; ``>`` marks the customer's own."""
    lines = [_line(frame) for frame in _called(error)]
    for _ in range(_CAUSES):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            break
        lines += [f"because of {type(cause).__name__}:", *(_line(frame) for frame in _called(cause))]
        error = cause
    return "\n".join(lines)


def is_own(file: str) -> bool:
    """Whether a file is the customer's own code: of no library, and not ours."""
    if file.startswith("<") or _PACKAGES_PARTS.intersection(Path(file).parts):
        return False
    return not any(file.startswith((f"{library}/", f"{library}\\")) for library in _LIBRARIES)


def _line(frame: Frame) -> str:
    file, line, function = frame
    return f"{'>' if is_own(file) else ' '} {file}:{line} in {function}"


def _called(error: BaseException) -> list[Frame]:
    """Return the last frames, without those of this room, which are the same each time."""
    frames = [frame for frame in _frames(error.__traceback__) if Path(frame[0]).parent != Path(__file__).parent]
    return frames[-_FRAMES:]


def _frames(trace: TracebackType | None) -> Iterator[Frame]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next
