"""Outlook of the destinations: each one of the settings with its latest attempt, as far as the journal knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from soap_handler.settings.sinks import PYTHON
from soap_handler.sinks.routes import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from soap_handler.journal.questions import Delivery
    from soap_handler.settings import Settings

_NONE_OPEN: Final[Mapping[Any, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outlook:
    """One destination."""

    name: str
    type: str
    """The type of the sink, or that of your handlers."""
    latest: Delivery | None
    """Its latest attempt; ``None`` where none is among the latest of all."""
    open_in: int = 0
    """How many workers of this service have its circuit breaker open at present."""

    @property
    def is_open(self) -> bool:
        """Whether its circuit breaker is open here, or was at the latest attempt, which another host may have made."""
        return self.open_in > 0 or (self.latest is not None and self.latest.is_paused)

    @property
    def state(self) -> str:
        """What is known of it, in words."""
        if self.is_open:
            return "paused"
        return "no attempt lately" if self.latest is None else "open to deliveries"


def outlooks(
    settings: Settings, deliveries: Sequence[Delivery], open_in: Mapping[tuple[str, str], int] = _NONE_OPEN
) -> Iterator[Outlook]:
    """Yield the destinations in the order of the routes; ``open_in`` has the workers by ``("sink", name)``."""
    for name in settings.destinations:
        takes = scope_of(settings, name).takes if settings.route else lambda _account, _kind: True
        own = [each for each in deliveries if takes(each.account, each.kind.value)]
        kind = "handlers" if name == PYTHON else settings.sink[name].type
        latest = max(own, key=lambda each: each.at, default=None)
        yield Outlook(name, kind, latest, open_in.get(("sink", name), 0))
