"""How the handler of a campaign behaves, as it is told to the service's process. Needs nothing but the library."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final, Self

VARIABLE: Final = "CAMPAIGN_PLAN"
SABOTAGE: Final = "CAMPAIGN_SABOTAGE"
"""Environment variable that breaks the service on purpose, to show that a campaign notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Shares are between 0 and 1 and strike the same notifications for the same seed; times are in seconds."""

    diary: str = ""
    """The file in which the handler notes, on disk, what it begins and ends."""
    seed: int = 0
    fastest: float = 0.0
    slowest: float = 0.02
    """Seconds that a call takes: long enough to be hit by a kill."""
    raises: float = 0.0
    hangs: float = 0.0
    exits: float = 0.0
    """Share of the notifications at which the handler calls ``sys.exit``."""
    dies: float = 0.0
    """Share at which it kills its own process."""
    stumbles: int = 1
    """How often the handler does so at one notification before it succeeds."""
    hangs_for: float = 5.0
    transactional: bool = False
    """Whether the handler writes into the journal's database, in the transaction that settles."""
    delete_lease: float = 4.0
    """Seconds after which another process repeats a delete that a dead one began."""
    sink_grace: float = 0.0
    """Seconds beyond a sink's timeout after which it is given up; 0 leaves the usual five."""
    purge_every: float = 0.0
    """Seconds between two purges of what is done for longer than the retention; 0 leaves the usual hour."""

    def environment(self) -> dict[str, str]:
        """Return the variable that carries the plan into another process."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Self:
        """Return the plan that this process was given."""
        return cls(**json.loads(os.environ[VARIABLE]))
