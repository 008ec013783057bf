"""A file that is there whole or not at all: it is made beside its place, synced, and then given its name."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def temporary_beside(target: Path, *, more: Sequence[str] = ()) -> Iterator[Path]:
    """Yield an empty file beside another one, for our user alone; what is left of it at the end is deleted.

    ``more``: suffixes of further files that may come to be beside it, and are deleted with it.

    Raises:
        OSError: it cannot be made.
    """
    path = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield path
    finally:
        for suffix in ("", *more):
            with suppress(OSError):
                path.with_name(path.name + suffix).unlink()


def place(path: Path, target: Path, *, overwrite: bool) -> None:
    """Sync a file and give it its name for good. Without ``overwrite``, a file that has come there meanwhile stays.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be named.
    """
    sync(path)
    if overwrite:
        path.replace(target)
    else:
        link(path, target)
    sync(target.parent)


def link(path: Path, name: Path) -> None:
    """Give a file a second name, or rename it where the file system has no links.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        name.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:
        if name.exists():
            raise FileExistsError(name) from None
        path.replace(name)


def sync(path: Path) -> None:
    """Have a file, or the entries of a folder, on disk when this returns.

    Windows has no such call for a folder; NTFS keeps names in its journal.
    """
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
