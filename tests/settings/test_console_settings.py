"""Settings of the console: none that other machines reach without users, and each mistake in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from soap_handler.accounts.passwords import hash_password
from soap_handler.errors import SettingsError
from soap_handler.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings

ACCOUNT: Final = """
[[account]]
reference = "EX0012345"
push = [{ username = "ems", password = "s3cret" }]
"""
HASH: Final = hash_password("correct horse")
USER: Final = f'[[console.user]]\nname = "olga"\npassword = "{HASH}"\nrole = "operator"\n'


def load(folder: Path, console: str, **environ: str) -> Settings:
    file = folder / "soap-handler.toml"
    file.write_text(f"[console]\n{console}\n{ACCOUNT}", encoding="utf-8")
    return load_settings(file, environ)


def problems(folder: Path, console: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, console)
    return caught.value.problems


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "console.example.com", "localhost.example"])  # noqa: S104 - refused
def test_no_address_of_other_machines_without_users(tmp_path: Path, host: str) -> None:
    """It does not start, and says which setting is missing."""
    (problem,) = problems(tmp_path, f'host = "{host}"')
    assert problem == (
        f"console.host is '{host}', which other machines reach; expected a [[console.user]] table for each user, or "
        "console.sso_header."
    )
    console = load(tmp_path, f'host = "{host}"\n{USER}').console
    assert console is not None
    assert console.user[0].name == "olga"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_local_address_needs_none(tmp_path: Path, host: str) -> None:
    """Only this machine reaches it."""
    console = load(tmp_path, f'host = "{host}"').console
    assert console is not None
    assert console.is_open


@pytest.mark.parametrize(
    ("console", "said"),
    [
        ('sso_header = "X-Remote-User"', "console.trusted_proxies is empty; expected the proxy that sends"),
        ('sso_header = "X Remote"', "console.sso_header is 'X Remote'; expected the name of an HTTP header."),
        (f"{USER}{USER}", "console.user has a name twice"),
        (
            USER.replace(HASH, "correct horse"),
            "console.user[0].password is of another form (not shown); expected a hash",
        ),
        (USER.replace("operator", "admin"), "console.user[0].role is 'admin'; expected 'viewer' or 'operator'."),
        (USER.replace('name = "olga"', ""), "console.user[0].name is missing"),
        ('bodies = "everybody"', "console.bodies is 'everybody'; expected 'operators' or 'nobody'."),
        ("port = 8080", "console.port is 8080, which server.port is too; expected another one."),
        ('session = "0h"', "console.session is '0h'; expected more than 0."),
        (
            'names = ["https://console"]',
            "console.names[0] is 'https://console'; expected the name of a host, without scheme and port.",
        ),
    ],
)
def test_each_mistake_has_a_sentence(tmp_path: Path, console: str, said: str) -> None:
    """It names the setting, and shows no password."""
    (problem,) = problems(tmp_path, console)
    assert problem.startswith(said)
    assert "correct horse" not in problem


def test_a_user_comes_from_the_environment_and_a_file(tmp_path: Path) -> None:
    """A container has its hashes as secrets in files."""
    (tmp_path / "olga").write_text(f"{HASH}\n", encoding="utf-8")
    names = {"NAME": "olga", "PASSWORD_FILE": str(tmp_path / "olga"), "ROLE": "viewer"}
    console = load(
        tmp_path, "", **{f"SOAP_HANDLER_CONSOLE__USER__0__{key}": each for key, each in names.items()}
    ).console
    assert console is not None
    assert console.user[0].password.get_secret_value() == HASH
