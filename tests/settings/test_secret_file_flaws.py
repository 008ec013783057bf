"""What an editor, a shell or an env file leaves in a secret file beside the secret is dropped or refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SettingsError
from soap_handler.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[[account]]
reference = "x"
push = [{ username = "ems", password_file = "pw" }]
"""


def load(folder: Path, content: bytes) -> Settings:
    (folder / "pw").write_bytes(content)
    (folder / "soap-handler.toml").write_text(FILE)
    return load_settings(folder / "soap-handler.toml", {})


@pytest.mark.parametrize(
    "content",
    [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"\xef\xbb\xbfs3cret\n", b"\xef\xbb\xbfs3cret\r\n"],
)
def test_a_byte_order_mark_and_one_line_end_are_no_part_of_the_secret(tmp_path: Path, content: bytes) -> None:
    """Every editor writes one or the other."""
    assert load(tmp_path, content).account[0].push[0].password.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"s3cret \n", "begins or ends with a blank"),
        (b"s3cret\t", "control character"),
        (b" s3cret\n", "begins or ends with a blank"),
        (b"s3cret\xc2\xa0\n", "begins or ends with a blank"),
        (b"s3cret\r", "carriage return"),
        (b"s3cret\r\r\n", "carriage return"),
        (b"s3cret\r\n\r\n", "carriage return"),
        (b"s3cret\n\n", "several lines"),
        (b"s3\rcret\n", "carriage return"),
        (b"first\nsecond\n", "several lines"),
        (b"s3cret\0\n", "control character"),
        (b"\x1b[As3cret\n", "control character"),
        (b"s3cret\xc2\x85\n", "blank"),
        (b'"s3cret"\n', "in quotes"),
        (b"'s3cret'\n", "in quotes"),
        (b'PASSWORD="s3cret"\n', "in quotes"),
        (b"export PASSWORD='s3cret'\n", "in quotes"),
    ],
)
def test_what_a_person_cannot_see_is_refused_by_name(tmp_path: Path, content: bytes, flaw: str) -> None:
    """EMS would be refused for it, three days long; the secret itself is not shown."""
    with pytest.raises(SettingsError, match=r"^account\[0\]\.push\[0\]\.password_file is 'pw', ") as caught:
        load(tmp_path, content)
    if flaw != "blank":
        assert flaw in str(caught.value)
    assert "cret" not in str(caught.value).replace("carriage return", "")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("content", [b"it's", b'say "x" or', b"a=b", b'"', b"pass word"])
def test_other_odd_secrets_are_taken_as_they_are(tmp_path: Path, content: bytes) -> None:
    """A quote or a blank inside is a part of a password like any other."""
    assert load(tmp_path, content).account[0].push[0].password.get_secret_value() == content.decode()


@pytest.mark.parametrize("value", ["s3cret\r", "s3cret\n", "s3\x00cret", "s3\x07cret"])
@pytest.mark.parametrize("name", ["PUSH__0__PASSWORD", "PUSH__0__USERNAME", "INBOX__PASSWORD", "INBOX__USERNAME"])
def test_a_control_character_is_refused_wherever_a_login_comes_from(value: str, name: str) -> None:
    """An env file with Windows line ends gives each variable a CR; XML cannot even carry most of the others."""
    environ = {
        "REFERENCE": "x", "PUSH__0__USERNAME": "ems", "PUSH__0__PASSWORD": "p",
        "INBOX__USERNAME": "u", "INBOX__PASSWORD": "p", name: value,
    }  # fmt: skip
    with pytest.raises(SettingsError, match="without control characters") as caught:
        load_settings(None, {f"SOAP_HANDLER_ACCOUNT__0__{key}": each for key, each in environ.items()})
    assert f"SOAP_HANDLER_ACCOUNT__0__{name}" in str(caught.value)
    assert "PASSWORD" not in name or "cret" not in str(caught.value)
