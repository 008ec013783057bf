"""``migrate``: brings the journal's tables up to date, by ``journal.migrate``."""

from __future__ import annotations

import typer

from soap_handler.cli import configuration
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it


def migrate(*, config: Config = None) -> None:
    """Bring the journal's tables up to date, or make them.

    A service does so by itself when it starts. This command is for a step of its own before that, and for a service
    whose database user may not change tables. Ends with 2 if the tables are of a newer release, and leaves them alone.
    """
    from soap_handler.journal.migrate import HEAD, migrate_journal  # noqa: PLC0415 - it loads SQLAlchemy

    settings = configuration.load(config).journal
    before = migrate_journal(settings.url.get_secret_value())
    if before == HEAD:
        typer.echo(f"{settings.masked_url} is up to date: revision {HEAD}")
    else:
        typer.echo(f"{settings.masked_url} is migrated from {before or 'nothing'} to revision {HEAD}")
