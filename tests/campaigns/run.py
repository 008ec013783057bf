"""One campaign from its name to its figures: its dice, its scale, its folder, its time."""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soap_handler.contract import Version
from tests.campaigns.figures import Figures, PromiseBrokenError, SkippedError, TooLateError
from tests.campaigns.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(kw_only=True)
class Run:
    """What a campaign is given."""

    figures: Figures
    folder: Path
    scale: float = 1.0
    seed: int = 1
    minutes: float | None = None
    """How long the soak takes, where it was asked for."""
    api: Version = Version.SOAP
    """The version of the API in which EMS pushes."""
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - a plan must be repeatable, not unpredictable

    def scaled(self, count: int, least: int) -> int:
        """Return a number of the order at this run's scale."""
        return max(least, round(count * self.scale))

    def site(self, **how: Any) -> Site:
        """Return a scene in a folder of its own."""
        folder = Path(tempfile.mkdtemp(prefix="site-", dir=self.folder))
        return Site(folder, seed=self.seed, figures=self.figures, api=self.api, **how)

    def tally(self, name: str, more: float = 1) -> None:
        """Count something that only this campaign counts."""
        self.figures.special[name] = self.figures.special.get(name, 0) + more


def _look_for_processes() -> None:
    if not Path("/proc/self/stat").exists():
        raise SkippedError("there is no /proc, by which the processes of a service are found")


def carry_out(
    name: str,
    campaign: Callable[[Run], None],
    scale: float,
    seed: int,
    minutes: float | None = None,
    *,
    api: Version = Version.SOAP,
) -> Figures:
    """Run a campaign to its end and return what it counted; a broken promise is among that."""
    figures = Figures(campaign=name if api is Version.SOAP else f"{name}, {api}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's account must get through to its folder
        try:
            _look_for_processes()
            campaign(Run(figures=figures, folder=Path(folder), scale=scale, seed=seed, minutes=minutes, api=api))
        except SkippedError as reason:
            figures.skipped = str(reason)
        except PromiseBrokenError as broken:
            figures.broken.append(str(broken))
            figures.late = isinstance(broken, TooLateError)
    figures.seconds = round(time.monotonic() - began, 1)
    return figures
