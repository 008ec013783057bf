"""``sink``: tries a sink with a sample, and writes the table of one that inserts into a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soap_handler.cli import configuration
from soap_handler.cli.columns import printable
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from soap_handler.sinks.base import Sink

commands = typer.Typer(name="sink", help="Try a sink of the configuration, outside the service.")

_Name = Annotated[str, typer.Argument(help="Name of the sink: that of its [sink.NAME] table.")]


@commands.command("test")
def send_sample(name: _Name, *, config: Config = None) -> None:
    """Send a sample, marked as a test, to a sink, and say how it answered. Ends with 1 if it did not confirm."""
    from soap_handler.errors import SoapHandlerError  # noqa: PLC0415 - as below
    from soap_handler.notifications import TEST_ID, MessageReceived  # noqa: PLC0415 - --help need not wait
    from soap_handler.sinks.base import Delivery  # noqa: PLC0415 - --help need not wait

    settings, sink = _open(name, config)
    now = datetime.now(UTC)
    sample = MessageReceived(
        account=settings.account[0].reference,
        id=f"{TEST_ID}{now:%Y%m%dT%H%M%S%f}",
        originator="447700900000",
        recipient="447700900001",
        body="A test of soap-handler: Grüße 🚌",
        sent_at=now,
        received_at=now,
    )
    try:
        sink.deliver(Delivery(sample, now))
    except SoapHandlerError as error:
        typer.echo(f"not confirmed: {printable(str(error))}", err=True)
        raise typer.Exit(1) from None
    finally:
        sink.close()
    typer.echo(f"confirmed: {sample.key}")


@commands.command()
def create_table(
    name: _Name,
    *,
    config: Config = None,
    run: Annotated[bool, typer.Option("--run", help="Create it, instead of printing the statement.")] = False,
) -> None:
    """Print the statement that creates the table of a sink of type sql, or run it."""
    from soap_handler.errors import SoapHandlerError  # noqa: PLC0415 - as below
    from soap_handler.sinks.sql import Sql  # noqa: PLC0415 - --help need not wait

    _, sink = _open(name, config)
    try:
        if not isinstance(sink, Sql):
            raise typer.BadParameter(f'sink.{name} is not of type "sql", so it has no table')
        if not run:
            typer.echo(sink.ddl(), nl=False)
            return
        sink.create_table()
    except SoapHandlerError as error:
        typer.echo(f"soap-handler: {printable(str(error))}", err=True)
        raise typer.Exit(1) from None
    finally:
        sink.close()
    typer.echo(f"{sink.table.fullname} is there")


def _open(name: str, config: Any) -> tuple[Any, Sink]:  # noqa: ANN401 - the types are loaded only here
    from soap_handler.sinks import registry  # noqa: PLC0415 - --help need not wait

    settings = configuration.load(config)
    if name not in settings.sink:
        known = ", ".join(settings.sink) or "none"
        raise typer.BadParameter(f"there is no [sink.{name}] table; the configuration has {known}")
    return settings, registry.build(name, settings.sink[name])
