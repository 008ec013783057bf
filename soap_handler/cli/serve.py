"""``serve``: the service in the foreground, until a signal ends it. What it consists of is said by ``app``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import structlog
import typer

from soap_handler import logs
from soap_handler.cli import configuration
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it
from soap_handler.errors import SoapHandlerError
from soap_handler.reload import Reloader

if TYPE_CHECKING:
    from types import FrameType

    from soap_handler.app import App
    from soap_handler.settings import Settings

log = structlog.get_logger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def serve(*, config: Config = None) -> None:
    """Run the service until SIGTERM or SIGINT; then finish what is in flight. A second signal ends it at once.

    SIGHUP reads the configuration anew and takes up its accounts and passwords.

    Ends with 0, with 1 if something was left in flight after server.drain, with 2 if it cannot start.
    """
    settings = configuration.load(config)
    logs.configure(settings.log.level, settings.log.format)
    app = _built(settings)
    _announce(settings, app.server.port)
    reloader = Reloader(lambda: configuration.load(config), app.reload)
    reloader.start()
    _listen_to_signals(app, reloader)
    good = app.run()
    reloader.stop()
    raise typer.Exit(0 if good else 1)


def _built(settings: Settings) -> App:
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - heavy, like the next one

    from soap_handler.app import App  # noqa: PLC0415 - it loads everything; other commands need not

    try:
        return App(settings)
    except (SoapHandlerError, ImportError, ArgumentError) as error:  # the last two: no such driver of a database
        problem = str(error)
    except OSError as error:
        problem = f"cannot listen on {settings.server.host}:{settings.server.port} ({error.strerror or error})"
    typer.echo(f"soap-handler: {problem}", err=True)
    raise typer.Exit(2)


def _announce(settings: Settings, port: int) -> None:
    log.info(
        "starting",
        address=f"{settings.server.host}:{port}",
        accounts=[account.reference for account in settings.account],
        handler=settings.handler.target or "none: notifications go to the standard output",
        journal=settings.journal.masked_url,
    )
    for account in settings.account:
        if account.inbox is None:
            log.warning("no_inbox_configured", account=account.reference, effect="messages stay in the EMS inbox")
        if account.anonymous:
            log.warning("anonymous_account", account=account.reference, effect="anybody who reaches us may push")


def _listen_to_signals(app: App, reloader: Reloader) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)  # the next one ends the process at once
        app.stop()

    for each in _SIGNALS:
        signal.signal(each, stop)
    if hasattr(signal, "SIGHUP"):  # Windows has none
        signal.signal(signal.SIGHUP, lambda *_: reloader.request())
