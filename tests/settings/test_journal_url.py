"""``journal.url``: which forms keep something, where a relative file lies, and what of a URL may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from soap_handler.errors import JournalUnavailableError, SettingsError
from soap_handler.journal import Journal
from soap_handler.settings import JournalSettings, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = '[[account]]\nreference = "x"\nanonymous = true\n'


def load(folder: Path, url: str | None) -> Settings:
    path = folder / "soap-handler.toml"
    path.write_text(("" if url is None else f"[journal]\nurl = '{url}'\n") + ACCOUNT)
    return load_settings(path, {})


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite+pysqlite://",
        "sqlite:///:memory:",
        "sqlite:///%3Amemory%3A",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///:memory:?cache=shared",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "sqlite:///file:/x?vfs=memdb&uri=true",
        "sqlite:///file:x.db?uri=true",
        "sqlite:///FILE:x.db",
        "sqlite:///x.db?mode=memory",
        "sqlite:///x.db?vfs=memdb",
        "sqlite:///x.db?uri=true",
        "sqlite:///?uri=true",
        "sqlite:/// ",
        "sqlite:///x.db?timeout=soon",
        "sqlite://host/x.db",
        "sqlite://u:hidden@/x.db",
    ],
)
def test_a_journal_that_keeps_nothing_is_refused(tmp_path: Path, url: str) -> None:
    """Memory in any spelling, and the forms of SQLite's own URIs, which can name memory in ways that are not known."""
    with pytest.raises(
        SettingsError, match=r"^journal\.url is of another form \(not shown\); expected a SQLAlchemy URL"
    ):
        load(tmp_path, url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hidden@h:port/d",
        "postgresql://u:hid:den@h:99999/d",
        "postgresql://[::1/d?password=hidden",
        "postgresql://u:hid@den@h/d",
        "postgresql://h:5432?password=hid@den",
        "postgresql://h?password=hid@den",
        "postgresql+psycopg:hidden",
        "mysql://u:hidden@h/d",
        "//u:hidden@h/d",
        "hidden",
    ],
)
def test_a_malformed_url_names_the_setting_and_shows_nothing(tmp_path: Path, url: str) -> None:
    """What cannot be parsed for certain is refused: a part of a password might be taken for the host."""
    with pytest.raises(SettingsError, match=r"journal\.url is of another form \(not shown\)") as caught:
        load(tmp_path, url)
    assert "hid" not in str(caught.value).replace("hide", "")
    assert "den" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("postgresql+psycopg2://h/d", "postgresql+pg8000://h/d", "postgresql+asyncpg://h/d"),
        *("postgresql+psycopg_async://h/d", "sqlite+aiosqlite:///x.db", "sqlite+pysqlcipher://:hidden@/x.db"),
    ],
)
def test_a_driver_whose_waits_have_no_limit_is_refused(tmp_path: Path, url: str) -> None:
    """A database that stands still would hold up each push, and the end of the service, for as long as it does."""
    with pytest.raises(SettingsError, match=r"journal\.url is of another form \(not shown\)") as caught:
        load(tmp_path, url)
    assert "expected a SQLAlchemy URL: sqlite:///file.db, or postgresql+psycopg://" in str(caught.value)
    with pytest.raises(JournalUnavailableError, match=r"takes no driver but pysqlite and psycopg"):
        Journal(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:hid?den@db.example.com/sms", "postgresql+psycopg://***@db.example.com/sms"),
        ("postgresql://u:hid/den@db.example.com:5433/sms", "postgresql://***@db.example.com:5433/sms"),
        ("postgresql://u:hid%40den@db.example.com/sms", "postgresql://***@db.example.com/sms"),
        ("postgresql://hidden@[::1]/sms?password=hidden", "postgresql://***@[::1]/sms"),
        ("postgresql+psycopg:///sms?host=/run/x&password=hid@den", "postgresql+psycopg:///sms"),
        ("postgresql+psycopg:///", "postgresql+psycopg:///"),
        ("postgresql://u:hidden@/sms", "postgresql://***@/sms"),
        ("sqlite:////var/lib/a b/100%25/j.db", "sqlite:////var/lib/a b/100%/j.db"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_part_of_a_password(tmp_path: Path, url: str, shown: str) -> None:
    """The URL is parsed as SQLAlchemy parses it, so host and password are told apart as the connection will."""
    assert load(tmp_path, url).journal.masked_url == shown
    assert make_url(load(tmp_path, url).journal.url.get_secret_value()) == make_url(url)


@pytest.mark.parametrize("url", [None, "sqlite:///soap-handler.db", "sqlite+pysqlite:///soap-handler.db"])
def test_a_relative_journal_is_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    """As each other relative path of the file, whatever the working directory is; and it is shown as it is."""
    folder = tmp_path / "a b"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    settings = load(folder, url)
    assert make_url(settings.journal.url.get_secret_value()).database == str(folder / "soap-handler.db")
    assert settings.journal.masked_url.endswith(f":///{folder}/soap-handler.db")


def test_a_relative_configuration_gives_an_absolute_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that changes the working directory later moves the journal."""
    (tmp_path / "etc").mkdir()
    load(tmp_path / "etc", None)
    monkeypatch.chdir(tmp_path / "etc")
    (path,) = (tmp_path / "etc").iterdir()
    settings = load_settings(path.relative_to(tmp_path / "etc"), {})
    assert make_url(settings.journal.url.get_secret_value()).database == str(tmp_path / "etc" / "soap-handler.db")


def test_the_environment_alone_means_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file that it could be beside."""
    monkeypatch.chdir(tmp_path)
    environ = {"SOAP_HANDLER_ACCOUNT__0__REFERENCE": "x", "SOAP_HANDLER_ACCOUNT__0__ANONYMOUS": "true"}
    settings = load_settings(None, {**environ, "SOAP_HANDLER_JOURNAL_URL": "sqlite:///j.db"})
    assert make_url(settings.journal.url.get_secret_value()).database == str(tmp_path / "j.db")


@pytest.mark.parametrize("url", ["sqlite:///\udcff.db", "sqlite:////srv/\udcff.db", "postgresql://u:p@h/\udcff"])
def test_a_url_that_is_no_text_is_named(url: str) -> None:
    """Bytes of the environment that are not UTF-8: no URL has them, relative or not."""
    environ = {"SOAP_HANDLER_ACCOUNT__0__REFERENCE": "x", "SOAP_HANDLER_ACCOUNT__0__ANONYMOUS": "true"}
    with pytest.raises(SettingsError, match=r"journal\.url .*; expected UTF-8 text"):
        load_settings(None, {**environ, "SOAP_HANDLER_JOURNAL_URL": url})


def test_a_folder_whose_name_is_no_text_needs_an_absolute_journal(tmp_path: Path) -> None:
    """As of an older system with another encoding: the journal may lie elsewhere."""
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"journal\.url is relative to '.*caf\\udce9'.*; expected an absolute path"):
        load(folder, None)
    assert load(folder, f"sqlite:///{tmp_path}/soap-handler.db")


def test_the_journal_of_an_earlier_release_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lay in the working directory: a new, empty one beside the configuration would lose what waits in it."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soap-handler.db").touch()
    with pytest.raises(
        SettingsError, match=r"^journal\.url is relative, which means .*; expected it to be moved"
    ) as caught:
        load(folder, None)
    assert str(tmp_path / "soap-handler.db") in str(caught.value)
    (folder / "soap-handler.db").touch()
    assert load(folder, None)
    (folder / "soap-handler.db").unlink()
    assert load(folder, f"sqlite:///{tmp_path}/soap-handler.db")


def test_settings_that_were_built_show_no_password_either() -> None:
    """A URL that was never checked is shown as nothing."""
    assert JournalSettings.model_construct(url="x").model_fields_set == {"url"}
    assert JournalSettings.model_validate({"url": "postgresql://u:hid?den@h/d"}).masked_url == "postgresql://***@h/d"
