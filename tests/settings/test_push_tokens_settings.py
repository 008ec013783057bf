"""The tokens of XML push in the settings: in the file, in files of their own, in the environment, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.accounts.passwords import hash_password
from soap_handler.errors import SettingsError
from soap_handler.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from soap_handler.settings import Settings

TOKEN = "Kx9_wuV.4d2~hQ-7pZ1s8TbN"
OLD = "old-Kx9_wuV.4d2~hQ-7pZ1s8"


def loaded(folder: Path, tokens: str, environ: dict[str, str] | None = None) -> Settings:
    file = folder / "soap-handler.toml"
    file.write_text(f'[[account]]\nreference = "EX1"\n{tokens}\n', encoding="utf-8")
    return load_settings(file, environ or {})


def tokens_of(settings: Settings) -> list[str]:
    return [each.token.get_secret_value() for each in settings.account[0].push_tokens]


def test_several_tokens_in_the_file_are_enough_for_an_account(tmp_path: Path) -> None:
    """Without any password. One of them may come from a file of its own, as passwords may."""
    (tmp_path / "old.txt").write_text(f"{OLD}\n", encoding="utf-8")
    settings = loaded(tmp_path, f'push_tokens = [{{ token = "{TOKEN}" }}, {{ token_file = "old.txt" }}]')
    assert tokens_of(settings) == [TOKEN, OLD]
    assert TOKEN not in repr(settings)
    assert TOKEN not in settings.model_dump_json()


def test_a_token_from_the_environment(tmp_path: Path) -> None:
    """It adds one, or stands in the place of the file's."""
    names = {f"SOAP_HANDLER_ACCOUNT__0__PUSH_TOKENS__{number}__TOKEN": OLD for number in (0,)}
    assert tokens_of(loaded(tmp_path, "", names)) == [OLD]
    assert tokens_of(loaded(tmp_path, f'push_tokens = [{{ token = "{TOKEN}" }}]', names)) == [OLD]


def test_a_token_may_be_a_hash(tmp_path: Path) -> None:
    """As a push password may."""
    hashed = hash_password(TOKEN)
    assert tokens_of(loaded(tmp_path, f"push_tokens = [{{ token = '{hashed}' }}]")) == [hashed]


@pytest.mark.parametrize("token", ["short", "has a blank in it, which no address has", "x" * 19, "a/b" * 10, "é" * 20])
def test_what_is_no_token_is_told_without_showing_it(tmp_path: Path, token: str) -> None:
    """It is a secret all the same."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, f'push_tokens = [{{ token = "{token}" }}]')
    assert caught.value.problems == [
        (
            "account[0].push_tokens[0].token is of another form (not shown); expected at least 20 letters, digits and "
            "- . _ ~, or the scrypt hash of such a text."
        )
    ]


def test_a_file_that_is_missing_is_one_problem(tmp_path: Path) -> None:
    """And not two."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, 'push_tokens = [{ token_file = "nowhere" }]')
    (problem,) = caught.value.problems
    assert problem.startswith("account[0].push_tokens[0].token_file is 'nowhere', which cannot be read")


def test_an_account_with_neither_is_told_of_both(tmp_path: Path) -> None:
    """A way to check the caller is needed."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, "")
    (problem,) = caught.value.problems
    assert problem == (
        "account[0].push is empty; expected at least one { username, password }, or { token } in push_tokens, "
        "or anonymous = true to check none."
    )
