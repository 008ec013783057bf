"""The place of a SQLite file whose path is relative: beside the configuration file, as any other relative path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soap_handler.settings import journal_url
from soap_handler.settings.model import JournalSettings

if TYPE_CHECKING:
    from pydantic import SecretStr


_NOT_UTF_8: Final = "{} is relative to {!a}, which is not UTF-8; expected an absolute path in UTF-8."


def place_journal(values: dict[str, Any], folder: Path) -> list[str]:
    """Complete the journal's relative path by a folder, in ``values`` itself; return the problems met.

    The journal of an earlier release, which took the working directory for such a path, is never passed over in
    silence: what waits in it would not be handled, and what is done would be handled again.
    """
    journal = values.setdefault("journal", {})
    default: SecretStr = JournalSettings.model_fields["url"].default
    url = journal.get("url", default.get_secret_value()) if isinstance(journal, dict) else None
    relative = journal_url.relative_file(url) if isinstance(url, str) else None
    if url is None or relative is None:
        return []
    if not _complete(journal, url, folder):
        return [_NOT_UTF_8.format("journal.url", str(folder))]
    here, former = folder / relative, _former(relative)
    if former is None or former == here or not _is_there(former) or _is_there(here):
        return []
    problem = (
        f"journal.url is relative, which means {here} (beside the configuration file); there is no journal, but one is "
        f"at {former}, in the working directory; expected it to be moved, or journal.url to have its absolute path."
    )
    return [problem]


def place_sinks(values: dict[str, Any], folder: Path) -> list[str]:
    """Complete the relative paths of the tables that sinks insert into, in ``values`` itself; return the problems."""
    sinks = values.get("sink")
    problems = []
    for name, sink in sinks.items() if isinstance(sinks, dict) else ():
        url = sink.get("url") if isinstance(sink, dict) and sink.get("type") == "sql" else None
        if isinstance(url, str) and journal_url.relative_path(url) and not _complete(sink, url, folder):
            problems.append(_NOT_UTF_8.format(f"sink.{name}.url", str(folder)))
    return problems


def _complete(table: dict[str, Any], url: str, folder: Path) -> bool:
    """Complete the path of ``url`` in its table; return false where the folder's name is no text of a URL."""
    try:
        table["url"] = journal_url.in_folder(url, folder)
    except UnicodeEncodeError:
        return False
    return True


def _former(relative: str) -> Path | None:
    try:
        return Path(relative).absolute()
    except OSError:  # there is no working directory any more
        return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder on the way cannot be entered
        return False
