"""Which value of ``server.fast_path`` the services of the present test are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from soap_handler.settings import ServerSettings

FastPath = Literal["auto", "off"]

BOTH: Final[tuple[FastPath, ...]] = ("auto", "off")

_chosen: list[FastPath] = ["auto"]


def choose(value: FastPath) -> None:
    """Have the services that are started from now on take this way."""
    _chosen[0] = value


def chosen() -> FastPath:
    """Return the value."""
    return _chosen[0]


def applied_to(server: ServerSettings) -> ServerSettings:
    """Return the settings of a server with this value."""
    return server.model_copy(update={"fast_path": chosen()})
