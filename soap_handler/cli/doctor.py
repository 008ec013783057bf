"""``doctor``: looks at the service from outside and prints what is right, wrong, and how to mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from soap_handler.cli.configuration import PUSH_PASSWORD
from soap_handler.cli.options import CaBundle, Config, Json, Timeout  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from soap_handler.diagnosis.finding import Finding
    from soap_handler.settings import Settings


def doctor(
    *,
    config: Config = None,
    url: Annotated[
        str | None, typer.Option(help="Address that EMS is to call; otherwise that of server.public_url.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Account to present; otherwise the first one.")] = None,
    username: Annotated[
        str | None, typer.Option(help="User name to present; otherwise the first one of the account.")
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            envvar=PUSH_PASSWORD,
            help="Password to present; otherwise that of the settings, if they have not only its hash.",
        ),
    ] = None,
    ca_bundle: CaBundle = None,
    timeout: Timeout = 10.0,
    http_port: Annotated[int, typer.Option(min=1, max=65535, help="Port where plain HTTP would answer.")] = 80,
    as_json: Json = False,
) -> None:
    """Check the registered address from outside, as EMS would see it. Ends with 1 if anything is wrong.

    It pushes test notifications, which are stored and marked as tests, and which no handler is given.
    """
    from soap_handler.diagnosis.doctor import examine, registration  # noqa: PLC0415 - heavy
    from soap_handler.diagnosis.finding import Verdict  # noqa: PLC0415 - needed only here
    from soap_handler.diagnosis.visit import Visit, address_of, login_of, read_address  # noqa: PLC0415 - heavy

    settings = _settings(config, needed=url is None)
    try:
        visit = Visit(
            read_address(url) if url else address_of(settings) if settings else read_address(""),
            login_of(settings, account, username, password),
            ca_bundle=ca_bundle,
            timeout=timeout,
            http_port=http_port,
            journal_url=settings.journal.url.get_secret_value() if settings else None,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    found = list(examine(visit))
    good = all(finding.verdict is not Verdict.WRONG for finding in found)
    _print(found, registration(visit), good=good, as_json=as_json)
    raise typer.Exit(0 if good else 1)


def _settings(config: Path | None, *, needed: bool) -> Settings | None:
    """Return the settings, or ``None`` where there is no configuration and none is needed."""
    from soap_handler.cli import configuration  # noqa: PLC0415 - heavy

    if not needed and configuration.find(config) is None:
        return None
    return configuration.load(config)


def _print(found: Sequence[Finding], register: Mapping[str, str], *, good: bool, as_json: bool) -> None:
    from soap_handler.cli import display  # noqa: PLC0415 - it loads rich

    if as_json:
        checks = [
            {"check": each.what, "result": each.verdict.value, "text": each.text, "mend": each.mend} for each in found
        ]
        typer.echo(json.dumps({"ok": good, "checks": checks, "register": dict(register)}, indent=2))
        return
    rows = [(display.verdict(each.verdict), each.what, each.text, each.mend) for each in found]
    title = "Enter in Web SMS → Options → API" if good else "Enter in Web SMS → Options → API, once nothing is wrong"
    display.print_table(
        display.Table("As EMS would see it", ("", "check", "what was found", "how to mend it"), rows),
        display.Table(title, ("", ""), [*register.items(), ("password", "the one of this user name")]),
    )
