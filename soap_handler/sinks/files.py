"""The sink that writes one file for each notification, as a spool directory: whole, on disk, then visible.

A file is written under a temporary name in the same directory, synced, renamed, and the directory is synced. A repeated
delivery has the same name, so it replaces the file by an equal one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from soap_handler import whole_file
from soap_handler.errors import SinkDownError, SinkRefusedError
from soap_handler.sinks.base import Sink
from soap_handler.sinks.form import encoded
from soap_handler.sinks.soap import envelope_of

if TYPE_CHECKING:
    from soap_handler.notifications import Notification
    from soap_handler.settings.sinks import FilesSettings
    from soap_handler.sinks.base import Delivery

TEMPORARY_PREFIX: Final = ".soap-handler-"
"""Before the names of files that are not whole yet. Readers of the directory skip them, as they are hidden."""
_MARKUP: Final = re.compile(rb"[^0-9A-Za-z]*<")  # behind a byte-order mark; a form has names before it
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9+._-]")
_NAME_REFUSED: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR})


class Files(Sink):
    """A spool directory."""

    def __init__(self, settings: FilesSettings) -> None:
        self._directory = settings.directory.absolute()
        self._name = settings.name
        self._format = settings.format

    def deliver(self, delivery: Delivery) -> None:
        """Write the file; it is on disk when this returns."""
        content = self._content(delivery)
        path = self._directory / self._file_name(delivery)
        digest = _digest(delivery)
        temporary = self._directory / f"{TEMPORARY_PREFIX}{os.getpid()}-{digest}"
        try:
            _write(temporary, content)
            temporary.replace(path)
            whole_file.sync(self._directory)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise _failure(error) from error

    def probe(self) -> str:
        """Write a file and remove it."""
        path = self._directory / f"{TEMPORARY_PREFIX}{os.getpid()}-probe"
        try:
            _write(path, b"")
            path.unlink()
        except OSError as error:
            raise SinkDownError(f"no file can be written in {self._directory} ({error.strerror})") from error
        return f"files can be written in {self._directory}"

    def _content(self, delivery: Delivery) -> bytes:
        if self._format == "envelope":
            return delivery.request or self._made(delivery.notification)
        return encoded(delivery, self._format).encode() + b"\n"

    def _made(self, notification: Notification) -> bytes:
        """Return the operation as a push would have it: what came by no request, but from the inbox, has no other."""
        return envelope_of(notification, {"Username": "", "Password": "", "Account": notification.account})

    def _extension(self, delivery: Delivery) -> str:
        if self._format != "envelope":
            return "json"
        return "txt" if delivery.request is not None and not _MARKUP.match(delivery.request) else "xml"

    def _file_name(self, delivery: Delivery) -> str:
        notification = delivery.notification
        values = {
            "stored_at": f"{delivery.stored_at:%Y%m%dT%H%M%S.%f}Z",
            "kind": notification.kind.value,
            "account": notification.account,
            "id": getattr(notification, "id", ""),
            "digest": _digest(delivery),
            "extension": self._extension(delivery),
        }
        return self._name.format(**{name: _UNSAFE.sub("_", value) for name, value in values.items()})


def _digest(delivery: Delivery) -> str:
    return hashlib.sha256(delivery.notification.key.encode()).hexdigest()[:32]


def _write(path: os.PathLike[str], content: bytes) -> None:
    """Write a new file and sync it; one that a killed process left under this name is replaced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _failure(error: OSError) -> SinkDownError | SinkRefusedError:
    """Return what an error of the file system means: the name's fault, or the directory's."""
    text = f"{type(error).__name__}: {error.strerror}"
    return SinkRefusedError(text) if error.errno in _NAME_REFUSED else SinkDownError(text)
