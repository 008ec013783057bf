"""``serve``: the service in the foreground, until a signal ends it. ``app`` builds it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from soap_handler import logs, telemetry
from soap_handler.cli import configuration, early_signals, standard_streams
from soap_handler.cli.options import Config  # noqa: TC001 - typer reads it
from soap_handler.errors import SettingsError, SoapHandlerError
from soap_handler.metrics.events import count_in
from soap_handler.metrics.shared_memory import MetricsSlot
from soap_handler.metrics.status import Status
from soap_handler.server.companion import Companion
from soap_handler.server.reload import Reloader, refused
from soap_handler.server.service_manager import ServiceManager
from soap_handler.server.supervisor import Supervisor, listen
from soap_handler.server.worker_process import CANNOT_START, RENEW

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path
    from types import FrameType

    from soap_handler.app import App
    from soap_handler.seams import Seams
    from soap_handler.server.worker_process import ParentLink
    from soap_handler.settings import Settings

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_EXIT_SECONDS: Final = 5.0  # what the customer's threads and child processes get to end after the service has


def serve(
    *,
    config: Config = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve, instead of server.workers.")
    ] = None,
) -> None:
    """Run the service until SIGTERM or SIGINT; then finish what is in flight. A second signal ends it at once.

    SIGHUP reads the configuration anew and takes up its accounts and passwords.

    Ends with 0, with 1 if something was left in flight after server.drain_timeout, with 2 if it cannot start, with 3 if
    all handler threads hang: then it must be started again (systemd does it, and so does --workers with 2 or more).
    """
    config = configuration.located(config)
    settings = configuration.load(config)
    logs.configure(settings.log.level, settings.log.format)
    if standard_streams.output_was_closed() and _prints(settings):
        _refuse("the standard output is closed, where notifications would go; expected it open, or a handler.target")
    count = workers or settings.server.workers
    if count > 1 and not hasattr(os, "fork"):
        _refuse(f"server.workers is {count}; expected 1 on this system, which cannot share a port between processes")
    code = _serve(settings, config) if count == 1 else _share(settings, config, count)
    _end_by_force_later(code)
    raise typer.Exit(code)


def _prints(settings: Settings) -> bool:
    """Whether notifications go to the standard output."""
    from soap_handler.settings.sinks import PYTHON  # noqa: PLC0415 - it loads pydantic
    from soap_handler.sinks.stdout import TARGET  # noqa: PLC0415 - as above

    printing = {name for name, sink in settings.sink.items() if sink.type == "stdout"}
    if settings.handler.target in {None, TARGET}:
        printing.add(PYTHON)
    return not printing.isdisjoint(settings.destinations)


def _serve(
    settings: Settings,
    config: Path | None,
    sockets: Sequence[socket.socket] = (),
    link: ParentLink | None = None,
    seams: Seams | None = None,
    *,
    slot: MetricsSlot | None = None,
) -> int:
    """Serve in this process, which is a worker of another one if there is a link to that; return the exit code."""
    app = _built(settings, sockets, seams, slot)
    if link is None:
        _announce(settings, app.server.port)
    manager = ServiceManager(os.environ if link is None else {})  # of several processes, the parent speaks to it
    app.server.alive = manager.alive if link is None else link.alive
    reloader = Reloader(lambda: configuration.load(config), app.reload, manager.reloading)
    reloader.start()
    _listen_to_signals(app, reloader, manager)
    if link is not None:
        link.follow(reloader.request, app.stop)
    elif not early_signals.noted.empty():  # of several processes, the parent obeys them
        reloader.request()
    _spare_what_is_loaded()
    drained = app.run()
    reloader.stop()
    if app.must_renew:
        return RENEW
    return 0 if drained else 1


def _spare_what_is_loaded() -> None:
    """Give the garbage collector its work again, but for what is there now and stays: that would stop all for 0.1 s."""
    gc.enable()
    gc.collect()
    gc.freeze()


def _end_by_force_later(code: int) -> None:
    """End this process in some seconds with its exit code, if it has not ended by then.

    Python waits at its end for threads and child processes without a limit, also for those that a handler left.
    """

    def end() -> None:
        left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread.name != "MainThread"]
        telemetry.emit("exit_forced", seconds=_EXIT_SECONDS, threads=left)
        os._exit(code)

    timer = threading.Timer(_EXIT_SECONDS, end)
    timer.daemon = True
    timer.start()


def _share(settings: Settings, config: Path | None, count: int) -> int:
    """Serve in several processes on one port; return the exit code."""
    from soap_handler.app import seams as shared_seams  # noqa: PLC0415 - it loads everything; other commands need not
    from soap_handler.app import serve_console, shared_memory_for  # noqa: PLC0415 - as above

    sockets, for_console = _listening(settings), _listening_for_console(settings)
    seams = shared_seams(settings.server, count)
    memory = shared_memory_for(settings, count)
    if settings.console:
        count_in(MetricsSlot(memory, count))
    manager = ServiceManager()
    current = [settings]  # the latest that were good: a worker that is started again takes up these

    def work(link: ParentLink) -> int:
        _close(for_console)
        seams.take_slot(link.slot)
        try:
            return _serve(current[0], config, sockets, link, seams, slot=MetricsSlot(memory, link.slot))
        except typer.Exit as end:
            return end.exit_code

    def console(link: ParentLink) -> int:
        def load() -> Settings:
            """Return the settings of now; those of before where the file is wrong, which the parent says."""
            reload()
            return current[0]

        _close(sockets)
        return serve_console(load, memory, for_console, link)

    def ended(number: int) -> None:
        seams.worker_ended(number)
        gone = MetricsSlot(memory, number)
        gone.note(Status.ABSENT)
        gone.clear_gauges()

    def reload() -> bool:
        try:
            with manager.reloading():
                current[0] = configuration.load(config)
        except SettingsError as error:
            refused(error)
            return False
        return True

    _announce(settings, sockets[0].getsockname()[1])
    supervisor = Supervisor(
        count,
        sockets,
        work,
        reload=reload,
        ended=ended,
        drain=settings.server.drain_timeout,
        signals=early_signals.noted,
        companion=Companion(console, count) if for_console else None,
        manager=manager,
    )
    _spare_what_is_loaded()  # in the workers too, which share these pages of memory
    return supervisor.run()


def _listening(settings: Settings) -> list[socket.socket]:
    try:
        return listen(settings.server.host, settings.server.port)
    except OSError as error:
        _refuse(_not_listening(settings, error))


def _listening_for_console(settings: Settings) -> list[socket.socket]:
    from soap_handler.server.console_listener import listen_for_console  # noqa: PLC0415 - it loads waitress

    try:
        return listen_for_console(settings.console)
    except SoapHandlerError as error:
        _refuse(str(error))


def _close(sockets: Sequence[socket.socket]) -> None:
    """Close in this process what another one listens on."""
    for each in sockets:
        each.close()


def _built(settings: Settings, sockets: Sequence[socket.socket], seams: Seams | None, slot: MetricsSlot | None) -> App:
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - heavy, like the next one

    from soap_handler.app import App  # noqa: PLC0415 - it loads everything; other commands need not

    try:
        return App(settings, sockets=sockets, shared=seams, slot=slot)
    except (SoapHandlerError, ImportError, ArgumentError) as error:  # the last two: no such driver of a database
        _refuse(str(error))
    except OSError as error:
        _refuse(_not_listening(settings, error))


def _not_listening(settings: Settings, error: OSError) -> str:
    return f"cannot listen on {settings.server.host}:{settings.server.port} ({error.strerror or error})"


def _refuse(problem: str) -> NoReturn:
    typer.echo(f"soap-handler: {problem}", err=True)
    raise typer.Exit(CANNOT_START)


def _announce(settings: Settings, port: int) -> None:
    telemetry.emit(
        "starting",
        address=f"{settings.server.host}:{port}",
        accounts=[account.reference for account in settings.account],
        handler=settings.handler.target or f"none: notifications go to {_places(settings)}",
        journal=settings.journal.masked_url,
    )
    for rename in settings.renames:
        telemetry.emit("setting_renamed", old=rename.old, new=rename.new)
    for account in settings.account:
        if account.inbox is None:
            telemetry.emit("no_inbox_configured", account=account.reference, effect="messages stay in the EMS inbox")
        elif account.inbox.url.lower().startswith("http:"):
            telemetry.emit("inbox_without_tls", account=account.reference, effect="its password goes in the clear")
        if account.anonymous:
            telemetry.emit(
                "anonymous_account", account=account.reference, effect="each caller that reaches us may push"
            )


def _places(settings: Settings) -> str:
    """Return where notifications go without a target, in words."""
    return ", ".join(f"sink.{name}" for name in settings.destinations) if settings.route else "the standard output"


def _listen_to_signals(app: App, reloader: Reloader, manager: ServiceManager) -> None:
    process = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that a handler forked: it ends as it would without this service
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)  # the next one ends the process at once
        manager.stopping()
        app.stop()

    for each in _SIGNALS:
        signal.signal(each, stop)
    if hasattr(signal, "SIGHUP"):  # Windows has none
        signal.signal(signal.SIGHUP, lambda *_: reloader.request())
