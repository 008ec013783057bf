"""``dev``: service and simulated EMS in the foreground, started anew when a file changes, quiet at its end."""

from __future__ import annotations

import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from soap_handler.cli import dev_plan, dev_run
from soap_handler.errors import SettingsError
from soap_handler.notifications import Kind
from tests.cli.conftest import Run, command, environment, write_configuration
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

INBOX = 'inbox = { url = "https://www.esendex.com/Inbox.asmx", username = "someone", password = "secret" }'
URL = "http://127.0.0.1:4711/"
HANDLERS = "def handle(notification):\n    print('{}', notification.body, flush=True)\n"


def wanted(**more: object) -> dev_plan.Wanted:
    return dev_plan.Wanted(**{"config": None, "target": None, "ignore": (), "port": None, "rate": 0.0, **more})  # type: ignore[arg-type]


def push(run: Run, err: Callable[[], str], body: str) -> None:
    """Send a message by the command that dev shows."""
    words = err().partition("dev:   soap-handler ")[2].partition("\n")[0].split()
    assert run(*words[:-1], body).code == 0


def test_handlers_are_tried_and_changed(tmp_path: Path, run: Run) -> None:
    """The line that is shown sends a message; a change is served; a mistake is said and mended; Ctrl-C is quiet."""
    sms, out, err = tmp_path / "sms.py", tmp_path / "out", tmp_path / "err"

    def serves(times: int) -> bool:
        return err.read_text().count("dev: serving at ") == times

    def said_by_handler(text: str) -> bool:
        return text in out.read_text()

    sms.write_text(HANDLERS.format("first"))
    with out.open("w") as written, err.open("w") as said:
        arguments = command("dev", "sms:handle", "--rate", "0")
        process = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=written, stderr=said)
    try:
        for number, text in enumerate(("first", "second"), 1):
            wait_for(partial(serves, number))
            push(run, err.read_text, text)
            wait_for(partial(said_by_handler, f"{text} {text}\n"))
            sms.write_text(HANDLERS.format("second") if number == 1 else "broken(")
        wait_for(lambda: "dev: the service ended with 2" in err.read_text())
        assert process.poll() is None
        sms.write_text(HANDLERS.format("third one"))
        wait_for(partial(serves, 3))
        console = err.read_text().partition("dev: console    ")[2].partition("\n")[0]
        assert requests.get(f"{console}health/live", timeout=10).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert err.read_text().endswith("dev: ended\n")
    assert "Traceback" not in err.read_text()
    assert (tmp_path / "dev.db").exists()


def test_neither_ems_nor_another_journal_is_touched(run: Run, tmp_path: Path) -> None:  # noqa: ARG001 - its folder
    """Inbox and journal are others; account, logins, handlers and the rest are those of the configuration."""
    write_configuration(tmp_path, account=INBOX, handler='target = "my.sms:handlers"\nthreads = 7')
    with dev_plan.journal_place(None, throwaway=False) as journal:
        plan = dev_plan.plan(wanted(), journal, URL)
    settings = plan.settings
    (account,) = settings.account
    assert account.inbox is not None
    assert (account.inbox.url, account.inbox.username) == (URL, "someone")
    assert settings.journal.url.get_secret_value() == f"sqlite:///{tmp_path / 'dev.db'}"
    assert (settings.handler.target, settings.handler.threads) == ("my.sms:handlers", 7)
    assert settings.server.port > 0
    (simulated,) = dev_plan.accounts(wanted())
    assert (simulated.username, simulated.password) == ("someone", "secret")
    assert (simulated.push_username, simulated.push_password) == ("ems", "s3cret")
    shown = dev_run.push_command(plan)
    assert "s3cret" not in shown
    assert shown.startswith(f"soap-handler push MessageReceived --url {plan.url} --body")


def test_the_introduction_says_where_notifications_go(run: Run, tmp_path: Path) -> None:  # noqa: ARG001 - its folder
    """To the handlers, to sinks, to both; handlers that were asked for and that no route leads to are named."""
    to_spool = '[[route]]\nkinds = ["MessageEvent"]\nsink = "spool"\n'
    spool = '[sink.spool]\ntype = "files"\ndirectory = "spool"\n'

    def said(routes: str, target: str | None) -> list[str]:
        write_configuration(tmp_path, routes, handler='target = "my.sms:handlers"')
        plan = dev_plan.plan(wanted(target=target), tmp_path / "dev.db", URL)
        return list(dev_run.destinations(plan))

    assert said("", None) == ["handlers   my.sms:handlers, loaded anew when a file changes"]
    both = said(f'{to_spool}[[route]]\nsink = "python"\n{spool}', None)
    assert both == ["sinks      spool: as configured, not simulated", *said("", None)]
    assert said(to_spool + spool, None) == both[:1]
    unused = 'handlers   sms:on gets nothing: no [[route]] of the configuration leads to "python"'
    assert said(to_spool + spool, "sms:on") == [both[0], unused]


def test_without_a_configuration_there_is_an_account(run: Run, tmp_path: Path) -> None:  # noqa: ARG001 - its folder
    """Notifications are printed, unless handlers are named, with the kinds that have none."""
    plan = dev_plan.plan(wanted(), tmp_path / "dev.db", URL)
    assert plan.settings.handler.target == "soap_handler.sinks.stdout:handlers"
    assert "--username ems --password dev" in dev_run.push_command(plan)
    plan = dev_plan.plan(wanted(target="sms:on", ignore=(Kind.MESSAGE_EVENT,)), tmp_path / "dev.db", URL, (4712, 4713))
    assert (plan.settings.handler.target, plan.settings.handler.ignore) == ("sms:on", ("MessageEvent",))
    assert plan.url == "http://127.0.0.1:4712/AccountEventHandler"


def test_a_throwaway_journal_is_gone_afterwards(tmp_path: Path) -> None:
    """With the folder that it is in."""
    with dev_plan.journal_place(tmp_path / "soap-handler.toml", throwaway=True) as journal:
        assert journal.parent.is_dir()
    assert not journal.parent.exists()


def test_modules_beside_the_handlers_are_watched(run: Run, tmp_path: Path) -> None:  # noqa: ARG001 - its folder
    """And those of their package, and the configuration; a change of any shows, and so does a new file."""
    path = write_configuration(tmp_path, handler='target = "my.sms:handlers"')
    (tmp_path / "my").mkdir()
    for name in ("my/__init__.py", "my/sms.py", "other.py"):
        (tmp_path / name).touch()
    plan = dev_plan.plan(wanted(), tmp_path / "dev.db", URL)
    before = dev_plan.watched(plan)
    assert {file.relative_to(tmp_path).as_posix() for file in before} == {
        "soap-handler.toml", "my/__init__.py", "my/sms.py", "other.py"
    }  # fmt: skip
    for change in (path, tmp_path / "my" / "sms.py", tmp_path / "my" / "new.py"):
        with change.open("a") as file:
            file.write("# changed")
        assert dev_plan.watched(plan) != before
        before = dev_plan.watched(plan)


def test_a_configuration_that_cannot_be_used_is_said(run: Run, tmp_path: Path) -> None:
    """At the start it ends the command, as it ends serve."""
    write_configuration(tmp_path, server='host = ""')
    result = run("dev")
    assert (result.code, "server.host" in result.err) == (2, True), result.err
    with pytest.raises(SettingsError):
        dev_plan.accounts(wanted())
    assert not Path("dev.db").exists()
