"""Files for Windows: web.config for IIS with HttpPlatformHandler, and the XML of a service for WinSW."""

from __future__ import annotations

import math
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from soap_handler.deploy.handler_module import handler_module
from soap_handler.deploy.limits import answer_seconds, stop_seconds
from soap_handler.deploy.template import fill
from soap_handler.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import PurePath

    from soap_handler.settings import Settings

COMMAND: Final = PureWindowsPath(r"C:\soap-handler\Scripts\soap-handler.exe")
"""The program, where another machine is made ready."""
CONFIG: Final = PureWindowsPath(r"C:\soap-handler\soap-handler.toml")
"""The configuration there."""


def iis(settings: Settings, config: PurePath = CONFIG, command: PurePath = COMMAND) -> str:
    """Return a web.config. ``config`` is the configuration that the service reads, ``command`` the program.

    Raises:
        SettingsError: a path has a character that no such file can hold.
    """
    server = settings.server
    minutes = max(1, math.ceil(answer_seconds(settings) / 60))  # the schema takes whole minutes only
    notes = [*_notes(settings, config)]
    if server.public_url is None:
        notes.append("Set server.public_url to the https address: the service cannot see it behind IIS.")
    return fill(
        "web.config",
        command=_text(command),
        arguments=_text(_arguments(config)),
        timeout=f"{minutes // 60:02}:{minutes % 60:02}:00",
        log=_text(config.parent / "logs" / "soap-handler"),
        modules=_text(config.parent),
        body=server.max_body,
        notes=_lines(notes),
    )


def windows_service(settings: Settings, config: PurePath = CONFIG, command: PurePath = COMMAND) -> str:
    """Return the configuration of WinSW, with the same parameters and errors as :func:`iis`."""
    return fill(
        "winsw.xml",
        command=_text(command),
        arguments=_text(_arguments(config)),
        folder=_text(config.parent),
        folder_in_comment=_comment(config.parent),
        logs=_text(config.parent / "logs"),
        stop=stop_seconds(settings.server),
        notes=_lines(_notes(settings, config)),
    )


def _arguments(config: PurePath) -> str:
    return f'serve --config "{config}"'


def _notes(settings: Settings, config: PurePath) -> list[str]:
    notes = []
    module = handler_module(settings)
    if module is not None:
        notes.append(
            f"The handlers' module {module} must lie in {config.parent}, or be installed where the command is."
        )
    if settings.server.workers > 1:
        notes.append("server.workers must be 1: Windows cannot share a port between processes.")
    return notes


def _lines(notes: list[str]) -> str:
    return "\n".join(f"  {_comment(each)}" for each in notes) or "  The settings need no other change."


def _text(value: PurePath | str) -> str:
    """Return a value as an attribute or an element holds it; ``%`` would begin a variable there.

    Raises:
        SettingsError: it has a control character, or a ``%``.
    """
    text = str(value)
    if not text.isprintable() or "%" in text:
        raise SettingsError([f"{text!r} cannot stand in a file for Windows; expected no control characters and no %."])
    return escape(text, {'"': "&quot;"})


def _comment(value: PurePath | str) -> str:
    """Return a value as a comment holds it.

    Raises:
        SettingsError: it would end the comment.
    """
    text = str(value)
    if not text.isprintable() or "--" in text or text.endswith("-"):
        raise SettingsError([f"{text!r} cannot stand in a comment of XML; expected no control characters and no --."])
    return text
