"""Settings of the accounts: their names, what EMS presents when it pushes, and their inboxes."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from soap_handler.settings.table import Table
from soap_handler.settings.value_types import (
    ExistingPath,
    Name,
    Password,
    ProxyAddress,
    PushPassword,
    PushTokenText,
    Seconds,
    ServiceAddress,
    Text,
    TimeZone,
)


class PushCredentials(Table):
    """One user name and password that EMS may present."""

    username: Text = Field(description="User name that EMS presents, as registered in Web SMS.")
    password: PushPassword = Field(
        description=(
            "Password that EMS presents, as registered in Web SMS, or its hash from soap-handler hash-password. "
            "A text that begins with $scrypt$ is always a hash."
        )
    )


class PushToken(Table):
    """One secret that stands in the address of XML push, ``/push/<token>``."""

    token: PushTokenText = Field(
        description=(
            "Secret after /push/ in the address that is registered for XML push: 20 or more letters, digits and "
            "- . _ ~, or its hash from soap-handler hash-password."
        ),
        examples=["a-long-random-text-of-your-own"],
    )

    @property
    def username(self) -> str:
        """Empty: a token is a password without a user name."""
        return ""

    @property
    def password(self) -> SecretStr:
        """The token."""
        return self.token


class InboxSettings(Table):
    """The EMS inbox service and the login of the account whose inbox is emptied."""

    url: ServiceAddress = Field(
        default="https://www.esendex.com/secure/messenger/soap/InboxService.asmx",
        description="Address of the inbox service; the default is the vendor's.",
    )
    username: Text = Field(description="User name of the EMS account.")
    password: Password = Field(description="Password of the EMS account.")
    timeout: Seconds = Field(
        default=30.0, description="Seconds for the whole answer of a call; a delete that takes longer is retried."
    )
    connect_timeout: Seconds = Field(default=10.0, description="Seconds to reach the service.")
    proxy: ProxyAddress | None = Field(
        default=None,
        repr=False,
        description="Address of the HTTP proxy for these calls; proxies in the environment are not used.",
        examples=["http://proxy.example.com:3128"],
    )
    ca_bundle: ExistingPath | None = Field(
        default=None,
        description="Path of the certificates to trust instead of the well-known roots, for a proxy that inspects TLS.",
        examples=["ca-bundle.pem"],
    )


class AccountSettings(Table):
    """One EMS account: its names, its push credentials and its inbox."""

    reference: Name = Field(description="Reference of the account in Web SMS, such as EX0012345.")
    aliases: tuple[Name, ...] = Field(
        default=(),
        description="Other names that EMS may use for the account: its number, and its AccountId (a GUID) in XML push.",
        examples=[["447700900000"]],
    )
    anonymous: bool = Field(
        default=False,
        description="Accept pushes without checking a password; only behind something else that checks the caller.",
    )
    push_tokens: tuple[PushToken, ...] = Field(
        default=(),
        description=(
            "Secrets of which one in the address (/push/<token>) is enough for XML push, which has no credentials in "
            "its body; several while one is replaced."
        ),
        examples=[()],
    )
    push: tuple[PushCredentials, ...] = Field(
        default=(),
        validate_default=True,
        description="User names and passwords that EMS may present; several while one is replaced.",
    )
    time_zone: TimeZone = Field(default="UTC", description="IANA time zone of the times that EMS sends without one.")
    inbox: InboxSettings | None = Field(
        default=None, description="The inbox to empty; unset, handled messages stay in it."
    )

    @field_validator("push")
    @classmethod
    def _credentials_or_anonymous(
        cls, push: tuple[PushCredentials, ...], info: ValidationInfo
    ) -> tuple[PushCredentials, ...]:
        if not push and info.data.get("anonymous") is False and info.data.get("push_tokens") == ():
            raise ValueError(
                "at least one { username, password }, or { token } in push_tokens, or anonymous = true to check none"
            )
        return push

    @property
    def names(self) -> tuple[str, ...]:
        """All of its names, the reference first."""
        return (self.reference, *self.aliases)

    def pair(self, username: str | None) -> tuple[str | None, str | None]:
        """Return a user name and its secret, of this user or else of the first; any will do where it is anonymous."""
        found = next((each for each in self.push if username in {None, each.username}), None)
        if found is not None:
            return found.username, found.password.get_secret_value()
        return ("anonymous", "anonymous") if self.anonymous else (None, None)

    @property
    def credentials(self) -> tuple[PushCredentials | PushToken, ...]:
        """Everything that EMS may present: pairs, and tokens as passwords without a user name."""
        return (*self.push, *self.push_tokens)
