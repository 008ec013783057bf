"""Old names of settings: they still load, from file and environment, and each use is reported with the new name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soap_handler.errors import SettingsError
from soap_handler.settings import Settings, load_settings
from soap_handler.settings.introspection import field_at
from soap_handler.settings.renamed import RENAMED

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = '\n[[account]]\nreference = "EX1"\nanonymous = true\n'
ALONE = {"SOAP_HANDLER_ACCOUNT__0__REFERENCE": "EX1", "SOAP_HANDLER_ACCOUNT__0__ANONYMOUS": "true"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "soap-handler.toml"


@pytest.mark.parametrize(("place", "new"), RENAMED.items())
def test_an_old_name_in_the_file_sets_the_new_setting(file: Path, place: tuple[str, str], new: str) -> None:
    """A configuration of an earlier release works unchanged, and the use of the old name is known."""
    table, old = place
    file.write_text(f"[{table}]\n{old} = 7\n{ACCOUNT}")
    settings = load_settings(file, {})
    assert getattr(getattr(settings, table), new) == 7
    assert settings.renames == ((f"{table}.{old}", f"{table}.{new}"),)


@pytest.mark.parametrize("link", ["_", "__"])
@pytest.mark.parametrize(("place", "new"), RENAMED.items())
def test_an_old_name_in_the_environment_does_too(place: tuple[str, str], new: str, link: str) -> None:
    """Both spellings of a variable are taken."""
    table, old = place
    variable = f"SOAP_HANDLER_{table}{link}{old}".upper()
    settings = load_settings(None, {**ALONE, variable: "7"})
    assert getattr(getattr(settings, table), new) == 7
    assert settings.renames == ((variable, f"SOAP_HANDLER_{table}{link}{new}".upper()),)


def test_the_new_names_exist_and_the_old_ones_are_gone() -> None:
    """A row of the table that leads nowhere would be a defect of ours that looks like the user's."""
    assert all(field_at(Settings, (table, new)) is not None for (table, _), new in RENAMED.items())
    assert all(field_at(Settings, place) is None for place in RENAMED)


def test_both_names_in_the_file_are_an_error_that_names_both(file: Path) -> None:
    """Which value is meant cannot be known."""
    file.write_text(f"[server]\ndrain = 7\ndrain_timeout = 8\n{ACCOUNT}")
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert caught.value.problems == [
        "server.drain and server.drain_timeout are the same setting; expected the second name only."
    ]


def test_both_names_in_the_environment_are_an_error_that_names_both() -> None:
    """The same holds there."""
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {**ALONE, "SOAP_HANDLER_SERVER_DRAIN": "7", "SOAP_HANDLER_SERVER__DRAIN_TIMEOUT": "8"})
    assert caught.value.problems == [
        "SOAP_HANDLER_SERVER__DRAIN_TIMEOUT and SOAP_HANDLER_SERVER_DRAIN name the same setting; expected one of them."
    ]


def test_the_environment_wins_over_an_old_name_in_the_file(file: Path) -> None:
    """Between the two sources the rule is the same as for every other setting."""
    file.write_text(f"[server]\ndrain = 7\n{ACCOUNT}")
    settings = load_settings(file, {"SOAP_HANDLER_SERVER_DRAIN_TIMEOUT": "8"})
    assert settings.server.drain_timeout == 8


def test_a_wrong_value_is_reported_with_the_name_that_was_written(file: Path) -> None:
    """The user finds the line in the file."""
    file.write_text(f"[server]\nwrong_logins = 0\n{ACCOUNT}")
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert caught.value.problems == [
        "server.login_failures_allowed (from server.wrong_logins) is 0; expected at least 1."
    ]


def test_a_table_of_another_shape_is_left_to_the_validation(file: Path) -> None:
    """``server = 5`` is one problem, and it is not about a renamed setting."""
    file.write_text(f"server = 5\n{ACCOUNT}")
    with pytest.raises(SettingsError, match="server is a number; expected a table"):
        load_settings(file, {})


def test_new_names_are_no_renames(file: Path) -> None:
    """A configuration that is up to date causes no warning."""
    file.write_text(f"[server]\ndrain_timeout = 7\n{ACCOUNT}")
    assert load_settings(file, {"SOAP_HANDLER_DELETE_REFUSED_BACKOFF": "60"}).renames == ()


def test_an_old_value_means_the_one_of_today(file: Path) -> None:
    """From the file and from the environment; each use is reported with what to write instead."""
    file.write_text(f'[console]\nbodies = "none"\n{ACCOUNT}')
    found = load_settings(file, {})
    assert found.console is not None
    assert found.console.bodies == "nobody"
    assert found.renames == (('console.bodies = "none"', 'console.bodies = "nobody"'),)
    variable = "SOAP_HANDLER_CONSOLE__BODIES"
    found = load_settings(None, {**ALONE, variable: "none"})
    assert found.console is not None
    assert found.console.bodies == "nobody"
    assert found.renames == ((f'{variable} = "none"', f'{variable} = "nobody"'),)
