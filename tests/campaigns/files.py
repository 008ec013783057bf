"""The journal's file is taken away under the running service, and comes back: refusals meanwhile, nothing missing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.campaigns.frozen import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.run import Run
    from tests.campaigns.site import Site


def files(run: Run) -> None:
    """One service process from beginning to end; each way to take its file away, again and again."""
    rounds = run.scaled(40, len(_WAYS))
    share = run.scaled(2000, 80) // rounds
    file = run.folder / "journal" / "journal.db"
    file.parent.mkdir()
    sections = {"journal": {"timeout": 3}}
    with run.site(journal=f"sqlite:///{file}", sections=sections) as site:
        site.start()
        process = site.service.pid
        for number in range(rounds):
            what = list(_WAYS)[number % len(_WAYS)]
            site.tell(share)
            _WAYS[what](run, site, file)
            run.tally(what)
            site.until(lambda: not site.counts.waiting, f"pushes are taken again: {what}")
        site.settle_down(120)
        site.promise(site.service.running and site.service.pid == process, "the service lived through it")
        site.stop()


def _wait_until_refused(run: Run, site: Site) -> None:
    site.tell(4)
    site.until(lambda: refused(site), "without its file, pushes get a Server fault")
    run.tally("refused meanwhile", len(site.ems.waiting()))


def _move(run: Run, site: Site, file: Path) -> None:
    elsewhere = file.with_name("elsewhere.db")
    file.rename(elsewhere)
    _wait_until_refused(run, site)
    elsewhere.rename(file)


def _delete(run: Run, site: Site, file: Path) -> None:
    """Delete the file; what it held was saved beside it, and a person puts that in its place."""
    before = _rescued(file)
    file.unlink()
    _wait_until_refused(run, site)
    (saved,) = _rescued(file) - before
    saved.rename(file)


def _rescued(file: Path) -> set[Path]:
    """Return what was saved beside the file; of one that was replaced, too."""
    return set(file.parent.glob(f"{file.name}.rescued-*"))


def _delete_log(run: Run, site: Site, file: Path) -> None:
    Path(f"{file}-wal").unlink()
    _wait_until_refused(run, site)


def _replace(_run: Run, site: Site, file: Path) -> None:
    """Put a copy in the place of the file, made at a moment when nothing was under way."""
    site.settle_down(60)
    copy = file.with_name("copy.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(file)
    site.tell(8)


_WAYS: Final[dict[str, Callable[[Run, Site, Path], None]]] = {
    "moved and back": _move,
    "log deleted": _delete_log,
    "deleted": _delete,
    "replaced": _replace,
}
