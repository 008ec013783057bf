"""Steady load for as long as asked: memory, open files, threads and the journal stay flat after a warm-up."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.campaigns.plan import Plan

if TYPE_CHECKING:
    from tests.campaigns.run import Run
    from tests.campaigns.site import Site

MINUTES: Final = 8  # at scale 1
RATE: Final = 20  # notifications in a second
WARM_UP: Final = 0.3  # of the time
RETENTION: Final = 5  # seconds that done rows are kept, and
PURGE_EVERY: Final = 2  # seconds between two purges: so the journal is as full as it gets before the warm-up is over
ALLOWED: Final = {"memory": 8.0, "open files": 8.0, "threads": 2.0, "wal": 6.0, "journal": 1.0}
"""By how much the later part may exceed the earlier one: MiB, or a number of things."""


def soak(run: Run) -> None:
    """Push at an even rate, and look at the service twice a second."""
    seconds = 60 * (run.minutes if run.minutes is not None else MINUTES * run.scale)
    sections = {"journal": {"retention": RETENTION / 86400}}
    with run.site(plan=Plan(purge_every=PURGE_EVERY), sections=sections) as site:
        site.start()
        samples = _load(site, seconds)
        site.settle_down(60)
        _judge(run, site, samples)
        site.stop()


def _load(site: Site, seconds: float) -> list[dict[str, float]]:
    """Push until the time is over; return what was seen after the warm-up."""
    began = time.monotonic()
    samples = []
    while (now := time.monotonic() - began) < seconds:
        due = int(now * RATE) - len(site.told)
        if due > 0:
            site.tell(due)
        if now > seconds * WARM_UP:
            samples.append(_sample(site))
        time.sleep(0.5)
    return samples


def _sample(site: Site) -> dict[str, float]:
    process = Path(f"/proc/{site.service.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    journal = site.folder / "journal.db"
    wal = journal.with_name("journal.db-wal")
    return {
        "memory": int(status["VmRSS"].split()[0]) / 1024,
        "open files": float(len(list((process / "fd").iterdir()))),
        "threads": float(status["Threads"]),
        "wal": wal.stat().st_size / 2**20 if wal.exists() else 0.0,
        "journal": journal.stat().st_size / 2**20,
    }


def _judge(run: Run, site: Site, samples: list[dict[str, float]]) -> None:
    """Compare the last quarter with the first one."""
    quarter = max(1, len(samples) // 4)
    for name, allowed in ALLOWED.items():
        early = statistics.median(sample[name] for sample in samples[:quarter])
        late = statistics.median(sample[name] for sample in samples[-quarter:])
        run.figures.special[name] = f"{early:.4g} → {late:.4g}"
        site.promise(late - early <= allowed, f"{name} stays flat: {early:.4g} → {late:.4g}")
    run.tally("purged", len(site.told) - len(site.books().records))
