"""Several campaigns in one call: which there are for ``all``, and those that may side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from soap_handler.contract import Version
from tests.campaigns.figures import Figures
from tests.campaigns.run import carry_out
from tests.campaigns.schedule import ALL, BESIDE, CAMPAIGNS, IN_EACH_VERSION, SMALL
from tests.campaigns.service import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.fast_path import FastPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One campaign that is to run."""

    name: str
    api: Version = Version.SOAP
    scale: float = 1.0
    seed: int = 1
    minutes: float | None = None
    fast_path: FastPath = "auto"

    def __str__(self) -> str:
        return f"{self.name}, {self.api}"

    def here(self) -> Figures:
        """Run it in this process."""
        return carry_out(self.name, CAMPAIGNS[self.name], self.scale, self.seed, self.minutes, api=self.api)

    def in_a_process(self) -> Figures:
        """Run it in a process of its own: what a campaign changes in the simulated EMS is global.

        Raises:
            RuntimeError: it broke off.
        """
        command = [sys.executable, "-m", "tests.campaigns", self.name, "--json", "--api", self.api]
        options = ["--scale", str(self.scale), "--seed", str(self.seed), "--fast-path", self.fast_path]
        ended = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
        if not ended.stdout:
            raise RuntimeError(f"{self} broke off: {ended.stderr}")
        (figures,) = json.loads(ended.stdout)
        return Figures(**figures)


def orders(asked: Order) -> Iterator[Order]:
    """Give what an order stands for, whose name may be ``all``."""
    if asked.name != ALL:
        yield asked
        return
    yield from (replace(asked, name=name) for name in CAMPAIGNS)
    small = replace(asked, name=IN_EACH_VERSION, scale=min(asked.scale, SMALL))
    yield from (replace(small, api=other) for other in Version if other is not asked.api)


def carry_out_all(several: Sequence[Order], at_once: int, told: Callable[[str], None]) -> list[Figures]:
    """Run campaigns, so many at once as long as no clock judges them, and the others alone; return their figures."""
    found: dict[Order, Figures] = {}
    beside = [order for order in several if order.name in BESIDE] if at_once > 1 else []
    with ThreadPoolExecutor(at_once) as pool:
        for order, figures in zip(beside, pool.map(Order.in_a_process, beside), strict=True):
            told(f"{order}: {figures.seconds:g} s")
            found[order] = figures
    for order in several:
        if order not in found:
            told(f"{order} …")
            found[order] = order.here()
    return [found[order] for order in several]


def with_another_run(outcomes: Sequence[Figures], several: Sequence[Order]) -> Iterator[Figures]:
    """Give the figures, and those of a second run, alone, where the first did nothing but run out of time."""
    for order, first in zip(several, outcomes, strict=True):
        yield first
        if first.late:
            yield order.here()
