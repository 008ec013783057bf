"""``doctor``: what is not given comes from the configuration; table or JSON, and an exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler.accounts.passwords import hash_password
from soap_handler.journal import Selection, Source
from tests.cli.conftest import Result, Run, write_configuration
from tests.support import wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service


def base(service: Service) -> str:
    return f"http://localhost:{service.port}"


def told(result: Result) -> Any:
    """Return the JSON; the service in this process may have logged before it."""
    return json.loads(result.out[result.out.index("{\n") :])


def test_a_service_is_looked_at(run: Run, service: Service, tmp_path: Path) -> None:
    """The address is that of public_url; the table ends with what to register, without the password."""
    write_configuration(tmp_path, server=f'public_url = "{base(service)}"')
    result = run("doctor", "--http-port", "1")
    assert result.code == 0, result.out
    assert "wrong password" in result.out
    assert "Enter in Web SMS → Options → API" in result.out
    assert f"{base(service)}{wire.PATH}" in result.out.partition("Enter in")[2]
    assert wire.PASSWORD not in result.out
    assert {record.source for record in service.app.journal.records(Selection())} == {Source.TEST}
    assert service.handled == []


def test_it_needs_no_configuration(run: Run, service: Service) -> None:
    """From another machine: everything is given; JSON for programs."""
    given = ("--account", wire.REFERENCE, "--username", wire.USERNAME, "--password", wire.PASSWORD)
    result = run("doctor", "--url", f"{base(service)}/AccountEventHandler.asmx", *given, "--json")
    assert result.code == 0, result.out
    assert told(result)["ok"]
    assert told(result)["register"]["URL"] == f"{base(service)}/AccountEventHandler.asmx"
    assert {check["check"]: check["result"] for check in told(result)["checks"]}["right password"] == "ok"


def test_without_a_login_only_the_way_is_checked(run: Run, service: Service) -> None:
    """It says what is missing."""
    result = run("doctor", "--url", base(service), "--json")
    assert result.code == 0, result.out
    assert {check["check"]: check["result"] for check in told(result)["checks"]}["passwords"] == "skipped"


def test_a_fault_ends_with_1(run: Run, service: Service, tmp_path: Path) -> None:
    """The password of this configuration is not that of the service."""
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace("s3cret", "wr0ng"))
    result = run("doctor", "--url", base(service))
    assert result.code == 1
    assert "once nothing is wrong" in result.out
    assert "wr0ng" not in result.out


def test_a_password_known_by_its_hash_is_asked_for(
    run: Run, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash cannot be presented; the password may come from the environment."""
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace("s3cret", hash_password("s3cret")))
    found = told(run("doctor", "--url", base(service), "--json"))["checks"]
    assert {check["check"]: check["result"] for check in found}["right password"] == "skipped"
    monkeypatch.setenv("SOAP_HANDLER_PUSH_PASSWORD", wire.PASSWORD)
    found = told(run("doctor", "--url", base(service), "--json"))["checks"]
    assert {check["check"]: check["result"] for check in found}["right password"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "ftp://x"), "is no address such as"),
        (("--account", "EX9"), "account 'EX9' is not in the settings"),
        ((), "server.public_url is missing"),
    ],
)
def test_wrong_usage_of_doctor_is_explained(run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2."""
    write_configuration(tmp_path, server='public_url = "http://127.0.0.1:1"' if arguments else "")
    result = run("doctor", *arguments)
    assert result.code == 2
    assert said in " ".join(result.err.replace("│", " ").split())
