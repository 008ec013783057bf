"""The configuration: frozen values from a TOML file and the environment. What they are used for lives elsewhere."""

from __future__ import annotations

from soap_handler.settings.accounts import AccountSettings, InboxSettings, PushCredentials, PushToken
from soap_handler.settings.console import ConsoleSettings, ConsoleUser
from soap_handler.settings.model import (
    DeleteSettings,
    DispatchSettings,
    HandlerSettings,
    JournalSettings,
    LogSettings,
    ReconcileSettings,
    ServerSettings,
    Settings,
    TracingSettings,
)
from soap_handler.settings.names import account_of, all_names, name_key
from soap_handler.settings.reference import SettingRow, describe
from soap_handler.settings.sources import load_settings
from soap_handler.settings.template import template

__all__ = [
    "AccountSettings",
    "ConsoleSettings",
    "ConsoleUser",
    "DeleteSettings",
    "DispatchSettings",
    "HandlerSettings",
    "InboxSettings",
    "JournalSettings",
    "LogSettings",
    "PushCredentials",
    "PushToken",
    "ReconcileSettings",
    "ServerSettings",
    "SettingRow",
    "Settings",
    "TracingSettings",
    "account_of",
    "all_names",
    "describe",
    "load_settings",
    "name_key",
    "template",
]
