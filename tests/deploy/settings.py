"""Settings from which files are made, and what every made file must keep to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from soap_handler.settings import HandlerSettings, JournalSettings, ServerSettings, Settings
from soap_handler.settings.environment import Environment
from tests.support.service import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

POSTGRESQL = "postgresql+psycopg://sms:hidden@db.example.com/sms"


def settings(url: str = "sqlite:///soap-handler.db", *, target: str | None = None, **server: object) -> Settings:
    return Settings(
        account=ACCOUNTS,
        handler=HandlerSettings(target=target),
        journal=JournalSettings(url=SecretStr(url)),
        server=ServerSettings.model_validate(server),
    )


def assert_settings(environment: Mapping[str, Any]) -> None:
    """Check that each variable of ours is a setting, or the path of the configuration."""
    ours = {name: str(value) for name, value in environment.items() if name.startswith("SOAP_HANDLER_")}
    assert ours
    assert Environment(ours).problems == []


def assert_no_secret(text: str) -> None:
    secrets = [pair.password.get_secret_value() for account in ACCOUNTS for pair in account.push]
    assert [each for each in ["hidden", *secrets] if re.search(rf"\b{re.escape(each)}\b", text)] == []
