"""Backup and restore of PostgreSQL: the commands of its own tools for a journal. Nothing here runs them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url

if TYPE_CHECKING:
    from pathlib import Path


def dump_command(url: str, file: Path) -> str:
    """Return the command that backs up the journal's database while it is in use. It shows no password."""
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", f"--dbname={_address(make_url(url))}"])


def restore_command(url: str, file: Path) -> str:
    """Return the command that puts such a backup back in one transaction. It shows no password."""
    options = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--no-owner"]
    return shlex.join(["pg_restore", *options, f"--dbname={_address(make_url(url))}", str(file)])


def _address(url: URL) -> str:
    """Return the URL as libpq reads it: without the driver, and without any password, which the query may hold too."""
    query = {name: value for name, value in url.query.items() if "password" not in name.lower()}
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, query).render_as_string()
