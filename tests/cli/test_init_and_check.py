"""``init`` and ``check``: from nothing to a configuration that is right."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from soap_handler.ems import EmsAccount, InboxService
from tests.cli.conftest import Run, write_configuration
from tests.cli.test_no_traceback import shell

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = EmsAccount(
    reference="EX0012345", username="inbox-user", password="inbox-secret", push_username="ems", push_password="s3cret"
)
STANDARD_OUTPUT = "soap_handler.sinks.stdout:handlers"


def verdicts(result: object) -> dict[str, str]:
    return {each["check"]: each["result"] for each in result["checks"]}  # type: ignore[index] # it is read from JSON


def inbox_table(url: str, password: str) -> str:
    return f'inbox = {{ url = "{url}", username = "inbox-user", password = "{password}" }}'


def test_init_writes_for_its_owner_alone(tmp_path: Path, run: Run) -> None:
    """The file will hold passwords, so nobody else may read it."""
    assert run("init").code == 0
    assert stat.S_IMODE((tmp_path / "soap-handler.toml").stat().st_mode) == 0o600


def test_init_never_overwrites(tmp_path: Path, run: Run) -> None:
    """A file that is there stays as it is, unless --force says otherwise."""
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    result = run("init", "--path", str(path))
    assert result.code == 1
    assert "exists already" in result.err
    assert path.read_text() == "mine"
    assert run("init", "--path", str(path), "--force").code == 0
    assert "[[account]]" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_init_writes_the_whole_file_or_none(tmp_path: Path) -> None:
    """A disk that takes no more leaves what was there, and nothing that stands in the way of the next try."""
    done = shell(tmp_path, "ulimit -f 4; SH init")
    assert (done.returncode, list(tmp_path.iterdir())) == (1, []), done.stderr
    assert done.stderr == "soap-handler: soap-handler.toml: File too large\n"
    (tmp_path / "soap-handler.toml").write_text("mine")
    assert shell(tmp_path, "ulimit -f 4; SH init --force").returncode == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"soap-handler.toml": "mine"}


def test_init_goes_to_the_file_that_a_link_names(tmp_path: Path, run: Run) -> None:
    """The link stays; what is no file is refused, with --force too."""
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "link").symlink_to("kept")
    assert run("init", "--path", "link", "--force").code == 0
    assert (tmp_path / "link").is_symlink()
    assert "[[account]]" in (tmp_path / "kept").read_text()
    assert "is no file" in run("init", "--path", ".", "--force").err


def test_a_folder_that_is_not_there_is_one_line(run: Run) -> None:
    """What the system refuses is a line on standard error, not a traceback."""
    result = run("init", "--path", "nowhere/soap-handler.toml")
    assert (result.code, result.err.count("\n")) == (1, 1)


def test_check_says_what_to_fill_in(run: Run) -> None:
    """What init wrote is not right before it is filled in, and check names every place at once."""
    run("init")
    result = run("check")
    assert result.code == 1
    assert all(name in result.out for name in ("account[0].reference", "push[0].password", "inbox.username"))


def test_a_filled_in_file_is_right(tmp_path: Path, run: Run) -> None:
    """Filled in, the file that init wrote passes."""
    run("init")
    path = tmp_path / "soap-handler.toml"
    filled = path.read_text().replace('target = ""', f'target = "{STANDARD_OUTPUT}"')
    path.write_text(filled.replace('""', '"x"'))
    result = run("check", "--json")
    assert result.code == 0, result.out
    assert verdicts(result.json)["account x"] == "ok"


def test_check_goes_on_after_a_failed_check(tmp_path: Path, run: Run) -> None:
    """A handler that cannot be loaded, a journal that cannot be opened and a refused login are all said."""
    with InboxService([ACCOUNT]) as inbox:
        write_configuration(
            tmp_path, handler='target = "nowhere:handle"', account=inbox_table(inbox.url, "not the password")
        )
        (tmp_path / "journal.db").mkdir()
        result = run("check", "--inbox", "--json")
    assert result.code == 1
    wrong = {name for name, verdict in verdicts(result.json).items() if verdict == "wrong"}
    assert wrong == {"handler", "journal", "inbox of EX0012345"}
    assert "not the password" not in result.out + result.err


def test_check_logs_in_without_harm(tmp_path: Path, run: Run) -> None:
    """With the right password the inbox lets us in."""
    with InboxService([ACCOUNT]) as inbox:
        handler = f'target = "{STANDARD_OUTPUT}"'
        write_configuration(tmp_path, handler=handler, account=inbox_table(inbox.url, "inbox-secret"))
        result = run("check", "--inbox", "--json")
        assert inbox.refused_logins == 0
    assert result.code == 0, result.out
    assert verdicts(result.json)["inbox of EX0012345"] == "ok"


def test_check_warns_of_what_may_not_be_meant(tmp_path: Path, run: Run) -> None:
    """No https address, an anonymous account and no inbox are warnings; they do not make the check fail."""
    write_configuration(tmp_path, server='public_url = "http://sms.example.com"', account="anonymous = true")
    result = run("check")
    assert result.code == 0, result.out
    warnings = [line for line in result.out.splitlines() if line.startswith("warning")]
    assert any("expected https" in line for line in warnings)
    assert any("is anonymous" in line for line in warnings)
    assert any("has no inbox" in line for line in warnings)


@pytest.mark.parametrize(("days", "warned"), [("1", True), ("0.04", True), ("4", False), ("0", False)])
def test_check_warns_of_a_retention_that_is_shorter_than_ems_pushes(
    tmp_path: Path, run: Run, days: str, *, warned: bool
) -> None:
    """What may be pushed again must be known: so it is kept for four days, which differs from what is set."""
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace("[journal]", f"[journal]\nretention = {days}"))
    result = run("check")
    assert result.code == 0, result.out
    assert any("journal.retention" in line and "72 hours" in line for line in result.out.splitlines()) is warned


def test_check_warns_of_an_old_name_and_says_the_new_one(tmp_path: Path, run: Run) -> None:
    """The configuration of an earlier release passes, and its owner learns what to write today."""
    write_configuration(tmp_path, server="drain = 5")
    result = run("check")
    assert result.code == 0, result.out
    (warning,) = [line for line in result.out.splitlines() if "server.drain:" in line]
    assert warning.startswith("warning")
    assert "expected server.drain_timeout" in warning


def test_a_handler_that_prints_does_not_spoil_the_json(tmp_path: Path, run: Run) -> None:
    """What the customer's module prints while it is imported does not get between the JSON."""
    (tmp_path / "talkative_handler.py").write_text("print('hello')\ndef handle(_): pass\n")
    write_configuration(tmp_path, handler='target = "talkative_handler:handle"')
    assert verdicts(run("check", "--json").json)["handler"] == "ok"


@pytest.mark.parametrize("command", [("check",), ("serve",), ("journal", "list")])
@pytest.mark.parametrize("engine", ["postgresql+nosuch", "sqlite+nosuch"])
def test_a_driver_that_is_not_taken_is_said(tmp_path: Path, run: Run, command: tuple[str, ...], engine: str) -> None:
    """A sentence names those that are, whatever the command; the password is not in it."""
    path = write_configuration(tmp_path)
    url = f"{engine}:///{tmp_path / 'journal.db'}" if "sqlite" in engine else f"{engine}://u:hidden@127.0.0.1/x"
    path.write_text(path.read_text().replace(f"sqlite:///{tmp_path / 'journal.db'}", url))
    (tmp_path / "journal.db").touch()
    result = run(*command)
    assert result.code in {1, 2}
    assert "postgresql+psycopg://" in result.out + result.err
    assert "hidden" not in result.out + result.err
