"""The journal's disk is full, and later it is not: faults meanwhile, recovery by itself, nothing missing."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from typing import TYPE_CHECKING, Final, Protocol

from tests.campaigns import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

SIZE: Final = 12 * 2**20  # bytes of the small file system


class Volume(Protocol):
    """Where the journal lies."""

    folder: Path

    def fill(self) -> None:
        """Leave no room."""

    def free(self) -> None:
        """Give the room back."""


class SmallFileSystem:
    """A file system in memory, filled by a file: the kernel says ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Write until there is no room."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (2**16, 2**12, 1):
                with contextlib.suppress(OSError):
                    while filler.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        """Delete what was written."""
        self._filler.unlink(missing_ok=True)


class PretendedFileSystem:
    """A folder of this machine; a library in the service says ENOSPC as long as a flag is there."""

    def __init__(self, folder: Path, flag: Path) -> None:
        self.folder = folder
        self._flag = flag

    def fill(self) -> None:
        """Let no file grow."""
        self._flag.touch()

    def free(self) -> None:
        """Let them grow."""
        self._flag.unlink(missing_ok=True)


def disk_full(run: Run) -> None:
    """Fill the disk several times, for a while each."""
    times = run.scaled(20, 2)
    share = run.scaled(2000, 80) // times // 2
    with _volume(run) as (volume, environment):
        journal = f"sqlite:///{volume.folder / 'journal.db'}"
        with run.site(journal=journal, environment=environment) as site:
            site.start()
            process = site.service.pid
            for _ in range(times):
                site.tell(share)
                _meet_the_end(run, site, volume, share)
                run.tally("times full")
            site.settle_down(120)
            site.promise(site.service.running and site.service.pid == process, "the service lived through it")
            site.stop()


def _meet_the_end(run: Run, site: Site, volume: Volume, share: int) -> None:
    """Fill the disk, push until pushes are refused, and then some more; give back the room."""
    volume.fill()
    site.tell(share)
    for _ in range(100):  # what the files hold already may take some more
        site.until(lambda: _refused(site) or not site.counts.waiting, "pushes are answered on a full disk")
        if _refused(site):
            break
        site.tell(20)
        volume.fill()  # what was freed within
    site.promise(_refused(site), "on a full disk a push gets a Server fault")
    run.tally("refused meanwhile", len(site.ems.waiting()))
    lost = site.acknowledged - _on_disk(site)
    site.promise(not lost, f"{len(lost)} were acknowledged on a full disk and are not there")
    volume.free()
    site.until(lambda: not site.counts.waiting, "pushes are taken again when there is room")


def _on_disk(site: Site) -> set[str]:
    return set(site.books().records)


def _refused(site: Site) -> bool:
    said = [delivery.last_failure for delivery in site.ems.waiting()]
    return any("HTTP 500" in text and "Server" in text for text in said)


@contextlib.contextmanager
def _volume(run: Run) -> Iterator[tuple[Volume, dict[str, str]]]:
    """Mount a small file system where that is allowed; pretend one elsewhere."""
    folder = run.folder / "volume"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "campaign", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        run.figures.special["disk"] = "tmpfs"
        try:
            yield SmallFileSystem(folder), {}
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    run.figures.special["disk"] = f"pretended {errno.errorcode[errno.ENOSPC]}"
    flag = run.folder / "full"
    variables = disk.environment(disk.library(run.folder), folder / "journal.db", run.folder / "record", flag)
    yield PretendedFileSystem(folder, flag), variables
