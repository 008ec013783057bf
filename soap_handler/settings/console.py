"""Settings of the console: its address, who may enter it, and what they may do and read there."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from pydantic import Field, model_validator

from soap_handler.settings.names import name_clashes
from soap_handler.settings.table import Table, sentence
from soap_handler.settings.value_types import (
    BearerToken,
    Duration,
    HashedPassword,
    HeaderName,
    Host,
    HostName,
    Name,
    Network,
    Port,
)


class ConsoleUser(Table):
    """One person who may log in to the console."""

    name: Name = Field(description="Name to log in with; the audit trail has it too.", examples=["alice"])
    password: HashedPassword = Field(
        description="Hash of the password, from soap-handler hash-password; never the password itself.",
        examples=["$scrypt$ln=14,r=8,p=1$kb1GFZPXxEx0u78m4bFwBw$K/hWlbRfRYkfAnWy8P3L2+45jfgc5UayZYWciThRiPQ"],
    )
    role: Literal["viewer", "operator"] = Field(
        default="viewer",
        description="viewer: sees all but what messages say. operator: sees that too, and retries, replays, gives up.",
        examples=["viewer"],
    )


class ConsoleSettings(Table):
    """The console for operators: health, metrics and pages, at an address of its own. Without this table it is off."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. One that other machines reach needs console.user or console.sso_header.",
    )
    port: Port = Field(default=8081, description="TCP port to listen on; 0 takes any free one.")
    names: tuple[HostName, ...] = Field(
        default=(),
        description=(
            "Host names under which browsers reach the console, such as that of a TLS proxy before it. At a local "
            "address any other name is refused, which stops DNS rebinding."
        ),
        examples=[["console.example.com"]],
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description=(
            "Addresses of the proxies before the console, whose X-Forwarded-For, X-Forwarded-Proto and "
            "console.sso_header are believed."
        ),
        examples=[["127.0.0.1"]],
    )
    sso_header: HeaderName | None = Field(
        default=None,
        description=(
            "Single sign-on: header in which a trusted proxy names the user, who is then logged in. The proxy must "
            "remove it from what callers send. Each user that it names is at least a viewer."
        ),
        examples=["X-Remote-User"],
    )
    sso_operators: tuple[Name, ...] = Field(
        default=(),
        description="Names in console.sso_header that are operators; all others are viewers.",
        examples=[["alice"]],
    )
    session: Duration = Field(
        default=28800.0, description='Time after which a user must log in again, such as "8h".', examples=["8h"]
    )
    bodies: Literal["operators", "nobody"] = Field(
        default="operators",
        description="Who is shown the texts of messages and the original requests: operators, or no role at all.",
    )
    metrics_allow_from: tuple[Network, ...] = Field(
        default=(),
        description=(
            "Networks that may read /metrics without a login; this machine may, and a user who is logged in. "
            "/health/live and /health/ready need none."
        ),
        examples=[["192.0.2.0/24"]],
    )
    metrics_token: BearerToken | None = Field(
        default=None,
        description=(
            "Token with which a program may read /metrics and the reasons of /health/ready from any address, as "
            "Authorization: Bearer: 20 or more letters, digits and - . _ ~. It opens nothing else."
        ),
        examples=["a-long-random-text-of-your-own"],
    )
    user: tuple[ConsoleUser, ...] = Field(
        default=(),
        description=(
            "Users of the console. Without one, and without console.sso_header, each program and person on this "
            "machine is a viewer."
        ),
        examples=[()],
    )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_open(self) -> bool:
        """Whether no login is asked for."""
        return not self.user and self.sso_header is None

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if self.is_open and not self.is_local:
            raise sentence(
                f"console.host is {self.host!r}, which other machines reach; expected a [[console.user]] table for "
                "each user, or console.sso_header."
            )
        if self.sso_header is not None and not self.trusted_proxies:
            raise sentence("console.trusted_proxies is empty; expected the proxy that sends console.sso_header.")
        if name_clashes([[each.name] for each in self.user]):
            raise sentence("console.user has a name twice; expected a name of its own for each user.")
        return self
