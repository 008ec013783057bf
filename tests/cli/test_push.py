"""``push``: what arrives is what was asked for, and the exit code says whether it was acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soap_handler.cli.push_target import made_up
from soap_handler.cli.simulate_options import Given
from soap_handler.cli.simulate_target import simulated
from soap_handler.contract import Version
from soap_handler.notifications import FailureReason, Kind, MessageError, MessageReceived, stored_values
from tests.cli.conftest import Run, serve, write_configuration
from tests.diagnosis import certificates
from tests.diagnosis.fronts import answering
from tests.support import wire
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.support.service import Service

CREDENTIALS = ("--username", wire.USERNAME, "--password", wire.PASSWORD, "--account", wire.REFERENCE)


def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}/AccountEventHandler"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_pushed(run: Run, service: Service, kind: Kind) -> None:
    """Each kind can be sent without any further option, and is acknowledged."""
    result = run("push", kind.value, "--url", url(service), *CREDENTIALS)
    assert result.code == 0, result.err
    wait_for(lambda: service.handled)
    assert service.handled[0].kind is kind
    assert f"key: {service.handled[0].key}" in result.out


@pytest.mark.parametrize("api", Version)
@pytest.mark.parametrize("kind", Kind)
def test_the_key_is_that_of_what_is_stored(run: Run, service: Service, kind: Kind, api: Version) -> None:
    """A form has whole seconds, and XML push has no contact: the key is made of what came, whatever was meant."""
    address = url(service).replace(
        "/AccountEventHandler", "/push" if api is Version.XML_PUSH else "/AccountEventHandler"
    )
    result = run("push", kind.value, "--url", address, *CREDENTIALS, "--api", api.value)
    assert result.code == 0, result.err
    wait_for(lambda: service.handled)
    assert f"key: {service.handled[0].key}\n" in result.out


def test_the_key_has_the_reference_of_an_account_that_is_called_otherwise(run: Run, service: Service) -> None:
    """The configuration knows the number in --account as another name of the account."""
    Path("soap-handler.toml").write_text(
        f'[[account]]\nreference = "{wire.REFERENCE}"\naliases = ["{wire.NUMBER}"]\n'
        f'push = [{{ username = "{wire.USERNAME}", password = "{wire.PASSWORD}" }}]\n'
    )
    result = run("push", "MessageReceived", "--url", url(service), "--account", wire.NUMBER)
    assert result.code == 0, result.err
    wait_for(lambda: service.handled)
    assert f"key: {service.handled[0].key}\n" in result.out


def test_an_account_that_no_configuration_could_have_is_pushed_for(run: Run, service: Service) -> None:
    """It is refused by the service, whose answer is what the command shows."""
    result = run("push", "MessageReceived", "--url", url(service), *CREDENTIALS[:4], "--account", " ")
    assert (result.code, "Authentication failed" in result.err) == (1, True), result.err


def test_the_options_are_what_arrives(run: Run, service: Service) -> None:
    """Fields given as options arrive unchanged; a time without an offset is UTC."""
    values = ("--id", "ABC-1", "--originator", "SHOP", "--body", " two  spaces ", "--sent-at", "2026-03-02T08:00:00")
    assert run("push", "MessageReceived", "--url", url(service), *CREDENTIALS, *values).code == 0
    wait_for(lambda: service.handled)
    message = service.handled[0]
    assert isinstance(message, MessageReceived)
    assert (message.id, message.originator, message.body) == ("abc-1", "SHOP", " two  spaces ")
    assert message.sent_at == datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_failure_is_described(run: Run, service: Service) -> None:
    """The options of a failure arrive as its failure reason."""
    values = ("--failure-code", "27", "--failure-description", "off", "--permanent-failure")
    assert run("push", "MessageError", "--url", url(service), *CREDENTIALS, *values).code == 0
    wait_for(lambda: service.handled)
    error = service.handled[0]
    assert isinstance(error, MessageError)
    assert error.failure_reason == FailureReason(27, "off", permanent_failure=True)


def test_what_is_refused_is_not_acknowledged(run: Run, service: Service) -> None:
    """A wrong password ends with 1 and the words of the fault; the password is not among them."""
    result = run(
        "push", "MessageEvent", "--url", url(service), *CREDENTIALS[:2], "--password", "wr0ng", *CREDENTIALS[4:]
    )
    assert result.code == 1
    assert "Authentication failed" in result.err
    assert "wr0ng" not in result.err


def test_the_configuration_says_what_is_not_given(
    run: Run, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address, account and credentials come from soap-handler.toml, and from no file that is not needed."""
    path = write_configuration(tmp_path, server=f'public_url = "http://127.0.0.1:{service.port}"')
    path.write_text(
        path.read_text()
        .replace("EX0012345", wire.REFERENCE)
        .replace("447786204254", wire.NUMBER)
        .replace('"ems"', f'"{wire.USERNAME}"')
    )
    monkeypatch.setenv("SOAP_HANDLER_PUSH_PASSWORD", wire.PASSWORD)
    for arguments in ((), ("--config", str(path))):
        result = run("push", "MessageEvent", *arguments)
        assert result.code == 0, result.err
    path.write_text("broken")
    assert run("push", "MessageEvent").code == 2
    assert run("push", "MessageEvent", "--url", url(service), *CREDENTIALS).code == 0


def test_a_hash_is_no_password(run: Run, tmp_path: Path) -> None:
    """EMS presents the password itself; where only its hash is known, it must be given."""
    path = write_configuration(tmp_path, server='public_url = "http://127.0.0.1:9"')
    path.write_text(path.read_text().replace("s3cret", f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'B' * 43}"))
    result = run("push", "MessageEvent")
    assert (result.code, "has its hash alone" in result.err) == (2, True), result.err
    result = run("simulate")
    assert (result.code, "has its hash alone" in result.err) == (2, True), result.err


TOKEN = "a-secret-of-the-address-20"


def test_xml_push_takes_the_secret_of_the_address(run: Run, tmp_path: Path) -> None:
    """From the configuration, for an account without a user name, or in --url; what is printed does not show it."""
    path = write_configuration(tmp_path)
    pair = 'push = [{ username = "ems", password = "s3cret" }]'
    path.write_text(path.read_text().replace(pair, f'push_tokens = [{{ token = "{TOKEN}" }}]'))
    with serve(tmp_path) as running:
        base = running.url.replace("/AccountEventHandler", "/push")
        assert run("push", "MessageEvent", "--api", "xml", "--url", base).code == 0
        assert run("push", "MessageEvent", "--api", "xml", "--url", f"{base}/{TOKEN}/events").code == 0
        wrong = run("push", "MessageEvent", "--api", "xml", "--url", f"{base}/another-secret-of-20-chars")
        assert (wrong.code, f"{base}/***: HTTP 403" in wrong.err, "another" in wrong.err) == (1, True, False), wrong.err
    assert "--username is missing" in run("push", "MessageEvent", "--url", base).err


def test_simulate_pushes_to_the_secret_of_the_address(tmp_path: Path) -> None:
    """As ``push`` does; without a user name, and without showing it."""
    path = write_configuration(tmp_path, server='public_url = "http://127.0.0.1:9"')
    pair = 'push = [{ username = "ems", password = "s3cret" }]'
    text = path.read_text().replace(pair, f'push_tokens = [{{ token = "{TOKEN}" }}]')
    path.write_text(text.replace("port = 0", "port = 8123"))
    found = simulated(path, Version.XML_PUSH, Given())
    assert found.handler_url == f"http://127.0.0.1:8123/push/{TOKEN}"
    assert (found.account.push_username, found.note) == ("", "pushes to: http://127.0.0.1:8123/push/***")


def test_a_hash_is_no_secret_for_an_address(run: Run, tmp_path: Path) -> None:
    """As with a password: it must be given."""
    path = write_configuration(tmp_path, server='public_url = "http://127.0.0.1:9"')
    pair = 'push = [{ username = "ems", password = "s3cret" }]'
    hashed = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'B' * 43}"
    path.write_text(path.read_text().replace(pair, f'push_tokens = [{{ token = "{hashed}" }}]'))
    result = run("push", "MessageEvent", "--api", "xml")
    assert (result.code, "the hash of push_tokens alone" in result.err) == (2, True), result.err


def test_another_user_name_has_another_password(run: Run, tmp_path: Path) -> None:
    """The configuration's password goes with its own user name alone."""
    write_configuration(tmp_path, server='public_url = "http://127.0.0.1:9"')
    result = run("push", "MessageEvent", "--username", "other")
    assert (result.code, "--password is missing" in result.err) == (2, True), result.err


def test_what_is_wrong_with_tls_is_said_in_words(run: Run, tmp_path: Path) -> None:
    """And how to trust a root of one's own; with it, the push goes through to the answer."""
    files = certificates.good(tmp_path)
    with answering(lambda *_: (500, "text/plain", b"no"), files) as port:
        address = ("push", "MessageEvent", "--url", f"https://localhost:{port}/", *CREDENTIALS)
        result = run(*address)
        assert result.code == 1
        assert "TLS: the certificate is of an unknown issuer; --ca-bundle FILE" in result.err
        assert "HTTP 500" in run(*address, "--ca-bundle", str(files.root)).err


@pytest.mark.parametrize("address", ["127.0.0.1:8080/x", "ftp://x/", "http://[::1", "http://", "http://x:0/", "x\0"])
def test_what_is_no_address_is_refused_before_anything_is_sent(run: Run, address: str) -> None:
    """In the words of the usage, without the address, which may hold a secret."""
    for command in (("push", "MessageEvent", "--url", address), ("simulate", "--handler-url", address)):
        result = run(*command, *CREDENTIALS)
        assert result.code == 2, result.err
        assert f"{command[-2]} is no address; expected one that starts with http:// or https://" in result.err


def test_no_answer_is_said_in_the_words_of_the_system(run: Run) -> None:
    """Nothing listens there."""
    result = run("push", "MessageEvent", "--url", "http://127.0.0.1:9/", *CREDENTIALS)
    assert (result.code, "ConnectionError (Connection refused)" in result.err) == (1, True), result.err


def test_an_answer_plays_no_game_with_the_terminal(run: Run) -> None:
    """What the other side says is shown with its control characters as escapes."""
    with answering(lambda *_: (400, "text/plain", b"bell \x07 \x9b2J\nsecond line")) as port:
        said = run("push", "MessageEvent", "--api", "form", "--url", f"http://127.0.0.1:{port}/", *CREDENTIALS)
    assert said.code == 1
    assert "HTTP 400: bell \\x07 \\x9b2J\\nsecond line" in said.err


@pytest.mark.parametrize("kind", Kind)
def test_the_help_tells_the_values_that_are_made_up(run: Run, kind: Kind) -> None:
    """Each default that the help shows is the one that is sent."""
    shown = " ".join(run("push", "--help").out.split())
    for name, value in stored_values(made_up(kind, "A", {})).items():
        option = f"--{name.replace('_', '-')} "
        if option in shown and value and not name.endswith("_at") and name not in {"id", "account"}:
            assert f"[default: {value}]" in shown.partition(option)[2].partition(" --")[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("MessageEvent",), "--account is missing"),
        (("MessageEvent", "--account", "A"), "--url is missing"),
        (("MessageEvent", *CREDENTIALS, "--url", "http://127.0.0.1:9/", "--body", "x"), "does not carry --body"),
        (("MessageEvent", *CREDENTIALS, "--url", "http://127.0.0.1:9/", "--occurred-at", "noon"), "expected a time"),
        (("Nothing",), "MessageReceived"),
    ],
)
def test_wrong_usage_is_explained(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """What is missing or does not fit is said, with exit code 2."""
    result = run("push", *arguments)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize("api", ["soap", "soap-no-header", "form", "xml"])
@pytest.mark.parametrize("kind", Kind)
def test_every_version_of_the_api_is_spoken(run: Run, service: Service, kind: Kind, api: str) -> None:
    """What arrives is the same, and the words say what came back."""
    address = f"http://127.0.0.1:{service.port}/push" if api == "xml" else url(service)
    result = run("push", kind.value, "--url", address, *CREDENTIALS, "--api", api)
    assert result.code == 0, result.err
    assert ("empty" in result.out) == api.startswith("soap")
    wait_for(lambda: service.handled)
    assert service.handled[0].kind is kind
    assert service.handled[0].repaired == ()


def test_a_refused_form_is_not_acknowledged(run: Run, service: Service) -> None:
    """The words of the answer are shown."""
    wrong = ("--username", wire.USERNAME, "--password", "guess", "--account", wire.REFERENCE)
    result = run("push", "MessageEvent", "--url", url(service), *wrong, "--api", "form")
    assert result.code == 1
    assert "HTTP 403: Authentication failed" in result.err
    assert "guess" not in result.err
