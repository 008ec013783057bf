"""The configuration: frozen values from a TOML file and the environment. What they are used for lives elsewhere."""

from __future__ import annotations

from soap_handler.settings.document import SettingRow, describe, template
from soap_handler.settings.load import load_settings
from soap_handler.settings.model import (
    AccountSettings,
    DeleteSettings,
    DispatchSettings,
    HandlerSettings,
    InboxSettings,
    JournalSettings,
    LogSettings,
    PushCredentials,
    ReconcileSettings,
    ServerSettings,
    Settings,
    name_key,
)

__all__ = [
    "AccountSettings",
    "DeleteSettings",
    "DispatchSettings",
    "HandlerSettings",
    "InboxSettings",
    "JournalSettings",
    "LogSettings",
    "PushCredentials",
    "ReconcileSettings",
    "ServerSettings",
    "SettingRow",
    "Settings",
    "describe",
    "load_settings",
    "name_key",
    "template",
]
