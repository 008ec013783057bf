"""The settings as a file gives them, and what is said about wrong ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SettingsError
from soap_handler.settings import InboxSettings, JournalSettings, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[[account]]
reference = "EX0012345"
push = [{ username = "ems", password = "hidden-1" }]
"""
INBOX = '[account.inbox]\nusername = "me"\npassword = "hidden-2"\n'


def load(folder: Path, text: str) -> Settings:
    file = folder / "soap-handler.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, {})


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    assert "hidden" not in repr(caught.value) + str(caught.value)
    assert all(re.fullmatch(r"\S.*[.]", problem) for problem in caught.value.problems)
    return caught.value.problems


def test_a_small_file_is_enough_and_the_rest_has_defaults(tmp_path: Path) -> None:
    """One account with one pair is a whole configuration."""
    settings = load(tmp_path, GOOD + INBOX)
    account = settings.account[0]
    assert (settings.server.host, settings.server.port, settings.server.max_body) == ("127.0.0.1", 8080, 262144)
    assert settings.journal.url.get_secret_value() == f"sqlite:///{tmp_path}/soap-handler.db"
    assert (settings.handler.target, settings.delete.batch, settings.log.format) == (None, 100, "text")
    assert (account.time_zone, account.anonymous, account.push[0].password.get_secret_value()) == (
        "UTC",
        False,
        "hidden-1",
    )
    assert account.inbox is not None
    assert (account.inbox.timeout, account.inbox.password.get_secret_value()) == (30.0, "hidden-2")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """The user mends a file once and not sentence by sentence."""
    text = """
    [server]
    port = 70000
    prot = 1
    [[account]]
    reference = "EX1"
    aliases = ["ex2"]
    time_zone = "Mars/Olympus"
    [[account]]
    reference = "EX2"
    push = [{ username = "", password = "hidden" }, { username = "b", password = "" }]
    """
    assert problems(tmp_path, text) == [
        "server.port is 70000; expected at most 65535.",
        "server.prot is not a setting; perhaps port is meant.",
        (
            "account[0].push is empty; expected at least one { username, password }, or { token } in push_tokens, or "
            "anonymous = true to check none."
        ),
        "account[0].time_zone is 'Mars/Olympus'; expected the IANA name of a time zone, such as \"Europe/London\".",
        "account[1].push[0].username is empty; expected a text that is not blank.",
        "account[1].push[1].password is empty; expected some text.",
        "account[1] has the name 'EX2', which account[0] has already (letter case does not count); expected another.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "There is no account; expected at least one [[account]] table (or SOAP_HANDLER_ACCOUNT__0__REFERENCE)."),
        (
            "account = []",
            "There is no account; expected at least one [[account]] table (or SOAP_HANDLER_ACCOUNT__0__REFERENCE).",
        ),
        (
            "[account]\nreference = 'x'",
            "account is a table; expected tables that begin with [[account]], in double brackets.",
        ),
        ("account = 5", "account is a number; expected tables that begin with [[account]], in double brackets."),
        ("server = 5" + GOOD, "server is a number; expected a table."),
        ("account = ['hidden']", "account[0] is text; expected a table."),
        ("sever = 5" + GOOD, "sever is not a setting; perhaps server is meant."),
        (GOOD + "password = 'hidden'", "account[0].password is not a setting"),
        (GOOD + "pusch = 'hidden'", "account[0].pusch is not a setting; perhaps push is meant."),
        ("_env_file = 'x'" + GOOD, "_env_file is not a setting; expected"),
        ("[server]\nport = true" + GOOD, "server.port is true; expected a number."),
        ("[server]\nport = 1.5" + GOOD, "server.port is 1.5; expected a whole number."),
        ("[server]\nthreads = 0" + GOOD, "server.threads is 0; expected at least 1."),
        ("[server]\ndrain_timeout = -1" + GOOD, "server.drain_timeout is -1; expected at least 0."),
        ("[journal]\ntimeout = inf" + GOOD, "journal.timeout is inf; expected a finite number."),
        ("[handler]\ntimeout = 0" + GOOD, "handler.timeout is 0; expected more than 0."),
        (
            "[server]\nallow_from = ['192.0.2.1/24']" + GOOD,
            "server.allow_from[0] is '192.0.2.1/24'; expected an address or a network without host bits, such as",
        ),
        ("[server]\ntrusted_proxies = [5]" + GOOD, "server.trusted_proxies[0] is 5; expected an address or a network"),
        ("[server]\ntrusted_proxies = '::1'" + GOOD, "server.trusted_proxies is '::1'; expected a list."),
        (
            GOOD.replace("hidden-1", "$scrypt$hidden"),
            "password is of another form (not shown); expected a hash as soap",
        ),
        (GOOD.replace("hidden-1", "$2b$12$hidden7890123456789012"), "expected a password, or its scrypt hash as soap-"),
        (
            GOOD + INBOX.replace("hidden-2", "$scrypt$hidden"),
            "account[0].inbox.password is of another form (not shown); expected the password itself;",
        ),
        ("[handler]\ntarget = 'sms.py'" + GOOD, "handler.target is 'sms.py'; expected package.module:attribute."),
        ("[log]\nlevel = 'loud'" + GOOD, "log.level is 'loud'; expected 'debug', 'info', 'warning' or 'error'."),
        (
            "[server]\npublic_url = 'sms.example.com'" + GOOD,
            "server.public_url is 'sms.example.com'; expected an address",
        ),
        ("[server]\npath_prefix = 'Services'" + GOOD, "server.path_prefix is 'Services'; expected a path that starts"),
        ("[server]\npath_prefix = '/a/../b?'" + GOOD, "expected a path that starts with /"),
        ("[server]\ntest_form = 'yes'" + GOOD, "server.test_form is 'yes'"),
        ("[server]\npublic_url = 'https://x.example?a'" + GOOD, "expected an address without ? and #."),
        (
            "[server]\npublic_url = 'https://u:hidden@x.example'" + GOOD,
            "is '***@x.example'; expected an address without user",
        ),
        (
            "[server]\npublic_url = 'https:/u:hidden@x.example'" + GOOD,
            "is '***@x.example'; expected an address that starts",
        ),
        (
            "[journal]\nurl = 'postgres://u:hidden@h/d'" + GOOD,
            "journal.url is of another form (not shown); expected a SQLAlchemy URL",
        ),
        (
            "[journal]\nurl = 'sqlite://'" + GOOD,
            "journal.url is of another form (not shown); expected a SQLAlchemy URL",
        ),
        (
            "[journal]\nurl = 'sqlite:///:memory:'" + GOOD,
            "journal.url is of another form (not shown); expected a SQLAlchemy URL",
        ),
        (
            GOOD + INBOX + "proxy = 'ftp://u:hidden@p'",
            "account[0].inbox.proxy is '***@p'; expected an address that starts with",
        ),
        (GOOD + INBOX + "ca_bundle = 'none.pem'", "none.pem'; expected the path of a file that exists."),
        (GOOD + "time_zone = 'Europe'", "account[0].time_zone is 'Europe'; expected the IANA name"),
        (GOOD + "time_zone = '../../etc/passwd'", "expected the IANA name"),
        (GOOD + "aliases = 'x'", "account[0].aliases is 'x'; expected a list."),
        (GOOD + "aliases = [5]", "account[0].aliases[0] is 5; expected text in quotes."),
        (GOOD + "anonymous = 'perhaps'", "account[0].anonymous is 'perhaps'; expected true or false."),
        (
            GOOD + "[account.inbox]\nusername = 'x'",
            "account[0].inbox.password is missing; expected it, or password_file.",
        ),
        (GOOD + "inbox = 'hidden'", "account[0].inbox is text; expected a table."),
        ("[[account]]\nreference = ' '\nanonymous = true", "account[0].reference is ' '; expected some text."),
        ("[[account]]\nanonymous = true", "account[0].reference is missing; expected some text."),
        ("[[account]]\nreference = 12345\nanonymous = true", "account[0].reference is 12345; expected text in quotes."),
        (
            "[[account]]\nreference = 'x'\npush = [{ username = 'x', password = 5 }]",
            "account[0].push[0].password is a number; expected text in quotes.",
        ),
    ],
)
def test_a_problem_names_the_setting_what_was_found_and_what_was_expected(
    tmp_path: Path, text: str, problem: str
) -> None:
    """Each single mistake gives one sentence, in the user's own words, without a secret."""
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert problem in found[0]


def test_names_of_one_account_may_repeat_each_other(tmp_path: Path) -> None:
    """An alias that equals the account's own reference is no clash."""
    assert load(tmp_path, GOOD + 'aliases = ["ex0012345"]').account[0].aliases == ("ex0012345",)


def test_accounts_built_without_a_file_are_held_apart_too() -> None:
    """The rule about names belongs to the settings and not to the file."""
    account = {"reference": "EX1", "anonymous": True}
    with pytest.raises(ValueError, match="has the name"):
        Settings.model_validate({"account": [account, account]})


def test_an_anonymous_account_needs_no_credentials(tmp_path: Path) -> None:
    """``anonymous = true`` is the other way out of missing credentials."""
    assert load(tmp_path, "[[account]]\nreference = 'x'\nanonymous = true").account[0].push == ()


def test_the_public_address_loses_its_trailing_slash(tmp_path: Path) -> None:
    """Paths are put behind the base address with a slash of their own."""
    settings = load(tmp_path, "[server]\npublic_url = 'https://sms.example.com/ems/'" + GOOD)
    assert settings.server.public_url == "https://sms.example.com/ems"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/sms.db", "postgresql+psycopg://u:hidden@h/d"])
def test_the_journal_is_sqlite_or_postgresql(tmp_path: Path, url: str) -> None:
    """Both engines are taken by their SQLAlchemy URL."""
    assert load(tmp_path, f"[journal]\nurl = '{url}'" + GOOD).journal.url.get_secret_value() == url


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """Settings are values: what was checked stays as it was."""
    settings = load(tmp_path, GOOD)
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1
    with pytest.raises(ValueError, match="frozen"):
        settings.server = settings.server


def test_no_secret_shows(tmp_path: Path) -> None:
    """Neither repr nor str nor a dump holds a password, the journal's and the proxy's included."""
    settings = load(
        tmp_path,
        "[journal]\nurl = 'postgresql://u:hidden-3@h/d'"
        + GOOD
        + INBOX
        + "proxy = 'http://u:hidden-4@proxy.example.com'",
    )
    inbox = settings.account[0].inbox
    shown = f"{settings!r} {settings} {settings.account} {inbox!r} {inbox} {settings.model_dump()} "
    assert "hidden" not in shown + settings.model_dump_json() + settings.journal.masked_url
    assert inbox is not None
    assert inbox.proxy == "http://u:hidden-4@proxy.example.com"


def test_a_model_built_with_a_wrong_secret_does_not_quote_it() -> None:
    """Pydantic's own error text leaves the input out."""
    with pytest.raises(ValueError, match="InboxSettings") as caught:
        InboxSettings.model_validate({"username": "x", "password": {"hidden": "hidden"}, "hid": "hidden-too"})
    assert "hidden" not in str(caught.value)


def test_the_masked_address_of_the_journal_is_fit_for_logs() -> None:
    """Host and database stay; user, password and query go."""
    journal = JournalSettings.model_validate({"url": "postgresql://u:hid/den@db.example.com/sms?password=hidden"})
    assert journal.masked_url == "postgresql://***@db.example.com/sms"
    assert JournalSettings().masked_url == "sqlite:///soap-handler.db"


def test_broken_toml_is_named_with_line_and_column(tmp_path: Path) -> None:
    """A syntax error says where it is."""
    (problem,) = problems(tmp_path, "[server]\nport = = 1\n")
    assert re.search(r"soap-handler\.toml is no valid TOML: .*\(at line 2, column 8\)", problem)


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    """The system's reason is given with the path."""
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=rf"{path} cannot be read \({reason}"):
            load_settings(path, {})


def test_a_file_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    """A file in another encoding is named, its bytes are not shown."""
    file = tmp_path / "latin.toml"
    file.write_bytes(b"# caf\xe9\n")
    with pytest.raises(SettingsError, match=r"is not UTF-8 text \(byte 5\)"):
        load_settings(file, {})


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    """Windows editors put one first."""
    assert load(tmp_path, "\ufeff" + GOOD).account[0].reference == "EX0012345"


def test_a_secret_can_lie_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    """Relative paths start at the configuration's folder; the last line end is not part of the secret."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pw").write_bytes(b"s3 cret\r\n")
    (tmp_path / "run" / "url").write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    (tmp_path / "ca.pem").touch()
    text = (
        "[journal]\nurl_file = 'run/url'\n"
        + GOOD
        + '[account.inbox]\nusername = "x"\npassword_file = "run/pw"\nca_bundle = "ca.pem"'
    )
    settings = load(tmp_path, text)
    inbox = settings.account[0].inbox
    assert inbox is not None
    assert inbox.password.get_secret_value() == "s3 cret"
    assert inbox.ca_bundle == tmp_path / "ca.pem"
    assert settings.journal.url.get_secret_value() == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "password_file = 'pw'\npassword = 'hidden'",
            "account[0].inbox.password and password_file are both given; expected one of them.",
        ),
        (
            "password_file = 'none'",
            "account[0].inbox.password_file is 'none', which cannot be read (No such file or directory)",
        ),
        ("password_file = 'binary'", "account[0].inbox.password_file is 'binary', which is not UTF-8 text"),
        ("password_file = 'nul\\u0000'".replace("'", '"'), "account[0].inbox.password_file is"),
        ("password_file = 5", "account[0].inbox.password_file is no path"),
        ("password_file = ''", "account[0].inbox.password_file is no path"),
        ("password_file = 'empty'", "account[0].inbox.password is empty; expected some text."),
        (
            "pasword_file = 'pw'\npassword = 'x'",
            "account[0].inbox.pasword_file is not a setting; perhaps password_file is meant.",
        ),
    ],
)
def test_a_secret_file_that_is_no_use_is_one_problem(tmp_path: Path, lines: str, problem: str) -> None:
    """The file is named, its content is not, and the secret is not called missing on top of it."""
    (tmp_path / "pw").write_text("hidden\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"hidden\xff")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    found = problems(tmp_path, GOOD + "[account.inbox]\nusername = 'x'\n" + lines)
    assert len(found) == 1
    assert problem in found[0]
