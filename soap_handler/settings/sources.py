"""Configuration sources: a TOML file, overlaid by the environment, completed from secret files, then validated.

Everything that is wrong is reported at once.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from soap_handler.errors import SettingsError
from soap_handler.settings.environment import Environment
from soap_handler.settings.journal_place import place_journal, place_sinks
from soap_handler.settings.model import Settings
from soap_handler.settings.names import name_clashes
from soap_handler.settings.problems import sentences
from soap_handler.settings.provenance import Provenance
from soap_handler.settings.renamed import rename_in_file, rename_values
from soap_handler.settings.secret_files import read_secret_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.settings.introspection import Place


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a TOML file with the environment's ``SOAP_HANDLER_`` variables put over them.

    Without a path, the environment must say everything. Secrets may lie in files of their own (``password_file``);
    relative paths start at the folder of the configuration file, or else at the working directory. They are made
    absolute here, once: a later change of the working directory moves nothing.

    Raises:
        SettingsError: something is wrong; ``problems`` names everything that is.
    """
    environment = Environment(environ)
    file, unreadable = _read(path) if path else ({}, None)
    if unreadable:
        raise SettingsError([unreadable, *environment.problems])
    renames, problems = rename_in_file(file)
    values = environment.over(file)
    changed = rename_values(values, environment.variables)
    said = Provenance(path, environment.variables, values)
    folder = _folder(path)
    problems += environment.problems + read_secret_files(values, Settings, folder)
    problems += place_journal(values, folder) + place_sinks(values, folder)
    origins = {**{place: rename.old for place, rename in renames.items()}, **environment.variables}
    settings, wrong = _validated(values, origins)
    if settings is None or problems or wrong:
        raise SettingsError(problems + wrong)
    settings.note_provenance(said)
    settings.note_renames([*renames.values(), *environment.renames, *changed])
    return settings


def _folder(path: Path | None) -> Path:
    """Return where relative paths start."""
    try:
        return (path.parent if path else Path()).absolute()
    except OSError as error:  # only a relative path needs the working directory
        raise SettingsError([f"The working directory cannot be read ({error.strerror}); expected one."]) from error


def _validated(values: dict[str, Any], origins: Mapping[Place, str]) -> tuple[Settings | None, list[str]]:
    wrong = name_clashes(_names(values.get("account")))
    try:
        return Settings.model_validate(values), wrong
    except ValidationError as error:
        return None, sentences(error, origins) + wrong


def _names(accounts: object) -> list[list[Any]]:
    """Return the names of each account as far as the unchecked values have any."""
    found = [account if isinstance(account, dict) else {} for account in accounts] if isinstance(accounts, list) else []
    aliases = [account.get("aliases") for account in found]
    return [
        [account.get("reference"), *(others if isinstance(others, list) else [])]
        for account, others in zip(found, aliases, strict=True)
    ]


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """Return what a TOML file holds, or the sentence that says why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig")), None  # Windows editors put a byte-order mark first
    except tomllib.TOMLDecodeError as error:
        return {}, f"{path} is no valid TOML: {error}."
    except UnicodeDecodeError as error:
        return {}, f"{path} is not UTF-8 text (byte {error.start}); expected a TOML file."
    except OSError as error:
        return {}, f"{path} cannot be read ({error.strerror}); expected a TOML file."
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets, or a NUL in the path
        return {}, f"{path} cannot be read: it is no path, or what is in it is beyond all bounds; expected a TOML file."
