"""The standard streams of the command, made fit for use: open, and able to show any text."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Final

_STREAMS: Final = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))
_closed: set[str] = set()


def prepare() -> None:
    """Open the streams that the caller has closed, at the null device, and have no text break the others.

    Otherwise the journal or a socket would get the number of a closed stream, and what is written to the error output
    would be written into it. A text that the terminal's encoding has no character for is shown as an escape.
    """
    for number, name, mode in _STREAMS:
        _open(number, name, mode)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def output_was_closed() -> bool:
    """Whether the standard output was closed: what is written there reaches no reader."""
    return "stdout" in _closed


def flush() -> None:
    """Write what is left in the standard output, so that a failure shows now and not after the end.

    Raises:
        OSError: it cannot be written; what is left is dropped.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
        raise


def _open(number: int, name: str, mode: str) -> None:
    try:
        os.fstat(number)
    except OSError:
        _closed.add(name)
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)  # noqa: FBT003 - the system's signature
    if getattr(sys, name) is None:
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


def _discard_output() -> None:
    """Have the interpreter's own flush at its end succeed."""
    with contextlib.suppress(OSError, ValueError):  # the output of a test has no number
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
