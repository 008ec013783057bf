"""Renamed settings: the old names still load, and each use is reported so that a warning can name the new one.

A rename is one row of the table. A setting that is given by both names in one source is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from soap_handler.settings import introspection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from soap_handler.settings.introspection import Place

RENAMED: Final[Mapping[tuple[str, str], str]] = {
    ("server", "wrong_logins"): "login_failures_allowed",
    ("server", "wrong_login_delay"): "login_failure_delay",
    ("server", "drain"): "drain_timeout",
    ("delete", "refused_pause"): "refused_backoff",
}
"""Table and old key of a setting, to its new key in the same table. No secret is among them."""
RENAMED_VALUES: Final[Mapping[tuple[str, str, str], str]] = {("console", "bodies", "none"): "nobody"}
"""Table, key and old value of a setting, to the value that means the same today."""


class Rename(NamedTuple):
    """One use of an old name, with the name to write instead, both in the form of their source."""

    old: str
    new: str


def rename_in_file(values: dict[str, Any]) -> tuple[dict[Place, Rename], list[str]]:
    """Move each value with an old name to its new name, in ``values`` itself; return the uses and the problems."""
    found: dict[Place, Rename] = {}
    problems = []
    for (table_name, old), new in RENAMED.items():
        table = values.get(table_name)
        if not isinstance(table, dict) or old not in table:
            continue
        rename = Rename(introspection.dotted((table_name, old)), introspection.dotted((table_name, new)))
        found[table_name, new] = rename
        value = table.pop(old)
        if new in table:
            problems.append(f"{rename.old} and {rename.new} are the same setting; expected the second name only.")
        else:
            table[new] = value
    return found, problems


def rename_values(values: dict[str, Any], variables: Mapping[Place, str]) -> list[Rename]:
    """Put the value of today in the place of each old one, in ``values`` itself; return the uses.

    ``variables`` are the names of those that a value came from, by its place.
    """
    found = []
    for (table_name, key, old), new in RENAMED_VALUES.items():
        table = values.get(table_name)
        if isinstance(table, dict) and table.get(key) == old:
            table[key] = new
            name = variables.get((table_name, key)) or introspection.dotted((table_name, key))
            found.append(Rename(f'{name} = "{old}"', f'{name} = "{new}"'))
    return found


def rename_variable(name: str) -> str:
    """Return the name of an environment variable (without prefix) under which its setting is known today."""
    return _VARIABLES.get(name, name)


_VARIABLES: Final = {
    f"{table}{link}{old}".upper(): f"{table}{link}{new}".upper()
    for (table, old), new in RENAMED.items()
    for link in ("_", "__")
}
