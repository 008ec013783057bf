"""The settings as the environment gives them, alone or over a file."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.errors import SettingsError
from soap_handler.settings import introspection, load_settings
from soap_handler.settings.environment import Environment
from soap_handler.settings.model import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

FIRST = "SOAP_HANDLER_ACCOUNT__0__"
ALONE = {
    f"{FIRST}REFERENCE": "EX0012345",
    f"{FIRST}PUSH__0__USERNAME": "ems",
    f"{FIRST}PUSH__0__PASSWORD": "hidden-1",
}


def problems(environ: dict[str, str], path: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ)
    assert "hidden" not in str(caught.value)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration with two accounts."""
    path = tmp_path / "soap-handler.toml"
    path.write_text(
        """
        [server]
        port = 1000
        [[account]]
        reference = "EX1"
        push = [{ username = "a", password = "b" }]
        [account.inbox]
        username = "me"
        password_file = "absent"
        [[account]]
        reference = "EX2"
        anonymous = true
        """,
        encoding="utf-8",
    )
    return path


def test_the_environment_alone_is_enough() -> None:
    """A container needs no file at all."""
    settings = load_settings(
        None,
        {
            **ALONE,
            f"{FIRST}ALIASES": '["447700900000"]',
            f"{FIRST}INBOX__USERNAME": "me",
            f"{FIRST}INBOX__PASSWORD": "hidden-2",
            f"{FIRST}PUSH__1__USERNAME": "ems2",
            f"{FIRST}PUSH__1__PASSWORD": "hidden-3",
            "SOAP_HANDLER_SERVER__PORT": "9000",
            "SOAP_HANDLER_DELETE__BACKOFF_CAP": "60.5",
        },
    )
    account = settings.account[0]
    assert (settings.server.port, settings.delete.backoff_cap, account.aliases) == (9000, 60.5, ("447700900000",))
    assert [pair.username for pair in account.push] == ["ems", "ems2"]
    assert account.inbox is not None
    assert account.inbox.password.get_secret_value() == "hidden-2"


@pytest.mark.parametrize("name", ["SOAP_HANDLER_SERVER_PUBLIC_URL", "SOAP_HANDLER_SERVER__PUBLIC_URL"])
def test_simple_tables_take_one_underscore_or_two(name: str) -> None:
    """``SERVER_PUBLIC_URL`` and ``SERVER__PUBLIC_URL`` are the same setting."""
    assert load_settings(None, {**ALONE, name: "https://x.example/"}).server.public_url == "https://x.example"


def test_both_spellings_at_once_are_a_problem() -> None:
    """Nobody can know which one is meant."""
    environ = {**ALONE, "SOAP_HANDLER_SERVER_PORT": "1", "SOAP_HANDLER_SERVER__PORT": "2"}
    assert problems(environ) == [
        "SOAP_HANDLER_SERVER__PORT and SOAP_HANDLER_SERVER_PORT name the same setting; expected one of them."
    ]


def test_the_environment_wins_over_the_file_one_setting_at_a_time(file: Path) -> None:
    """What the environment does not say stays as the file says, inside list items too."""
    (file.parent / "other").write_text("from-file\n", encoding="utf-8")
    settings = load_settings(
        file,
        {
            "SOAP_HANDLER_SERVER_PORT": "2000",
            f"{FIRST}PUSH__0__PASSWORD_FILE": "other",
            f"{FIRST}INBOX__PASSWORD": "hidden",
            "SOAP_HANDLER_ACCOUNT__1__TIME_ZONE": "Europe/Paris",
            "SOAP_HANDLER_ACCOUNT__2__REFERENCE": "EX3",
            "SOAP_HANDLER_ACCOUNT__2__ANONYMOUS": "true",
        },
    )
    first, second, third = settings.account
    assert settings.server.port == 2000
    assert (first.reference, first.push[0].username) == ("EX1", "a")
    assert first.push[0].password.get_secret_value() == "from-file"
    assert first.inbox is not None
    assert (first.inbox.username, first.inbox.password.get_secret_value()) == ("me", "hidden")
    assert (second.reference, second.time_zone, third.reference) == ("EX2", "Europe/Paris", "EX3")


def test_a_secret_and_its_file_in_one_place_are_a_problem() -> None:
    """Between file and environment one wins, but within the environment nobody can know which is meant."""
    environ = {**ALONE, f"{FIRST}PUSH__0__PASSWORD_FILE": "absent"}
    assert problems(environ) == ["account[0].push[0].password and password_file are both given; expected one of them."]


def test_the_journal_can_come_from_a_secret_file(tmp_path: Path) -> None:
    """The URL of PostgreSQL holds a password."""
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    settings = load_settings(None, {**ALONE, "SOAP_HANDLER_JOURNAL_URL_FILE": str(tmp_path / "url")})
    assert settings.journal.url.get_secret_value() == "postgresql://u:p@h/d"


def test_an_empty_variable_unsets_what_may_be_unset(file: Path) -> None:
    """Compose files hand on empty variables for what is not given."""
    environ = {f"{FIRST}INBOX__PASSWORD": "x", f"{FIRST}INBOX__PROXY": "", "SOAP_HANDLER_HANDLER_TARGET": ""}
    settings = load_settings(file, environ)
    assert settings.account[0].inbox is not None
    assert (settings.account[0].inbox.proxy, settings.handler.target) == (None, None)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SOAP_HANDLER_SERVER_PRT", "1", "is not a setting; perhaps SOAP_HANDLER_SERVER_PORT is meant."),
        ("SOAP_HANDLER_SERVER__PRT", "1", "is not a setting; perhaps SOAP_HANDLER_SERVER__PORT is meant."),
        ("SOAP_HANDLER_PORT", "9000", "SOAP_HANDLER_PORT is not a setting"),
        ("SOAP_HANDLER_XYZZY", "hidden", "SOAP_HANDLER_XYZZY is not a setting."),
        ("SOAP_HANDLER_", "hidden", "SOAP_HANDLER_ is not a setting."),
        ("SOAP_HANDLER_SERVER", "hidden", "SOAP_HANDLER_SERVER is not a setting; expected the name of one setting in"),
        ("SOAP_HANDLER_server_port", "1", "SOAP_HANDLER_server_port is not a setting"),
        (f"{FIRST}INBX__PASSWORD", "hidden", f"is not a setting; perhaps {FIRST}INBOX__PASSWORD is meant."),
        (f"{FIRST}PUSH__USERNAME", "x", "is not a setting; expected a number from 0 after PUSH__."),
        (f"{FIRST}PUSH__01__USERNAME", "x", "is not a setting; expected a number from 0 after PUSH__."),
        (f"{FIRST}PUSH__0", "x", "is not a setting; expected the name of one setting in that table."),
        (f"{FIRST}PUSH__0__USERNAME__X", "x", "is not a setting."),
        (f"{FIRST}ALIASES__0", "x", "is not a setting."),
        (f"{FIRST}ALIASES", "447700900000,", 'is no JSON; expected a list of text such as ["447700900000"].'),
        (f"{FIRST}ALIASES", '"x"', f"account[0].aliases (from {FIRST}ALIASES) is 'x'; expected a list."),
        (f"{FIRST}PUSH__2__USERNAME", "x", "skips a number; expected to count on from 0 without gaps."),
        (
            "SOAP_HANDLER_SERVER_PORT",
            "x",
            "server.port (from SOAP_HANDLER_SERVER_PORT) is 'x'; expected a whole number.",
        ),
        ("SOAP_HANDLER_LOG_LEVEL", "", "log.level (from SOAP_HANDLER_LOG_LEVEL) is empty; expected 'debug'"),
        ("SOAP_HANDLER_JOURNAL_URL", "hidden", "is of another form (not shown); expected a SQLAlchemy URL"),
    ],
)
def test_a_variable_that_is_no_use_is_one_problem(name: str, value: str, problem: str) -> None:
    """The sentence names the variable and never shows what may be a secret."""
    found = problems({**ALONE, name: value})
    assert len(found) == 1
    assert problem in found[0]


def test_variables_of_others_do_not_matter() -> None:
    """The command line's own variable and those that Kubernetes and Docker make for a service are no settings."""
    environ = {
        "SOAP_HANDLER_CONFIG": "x.toml",
        "SOAP_HANDLER_SERVICE_HOST": "10.0.0.1",
        "SOAP_HANDLER_SERVICE_PORT": "80",
        "SOAP_HANDLER_SERVICE_PORT_HTTP": "80",
        "SOAP_HANDLER_PORT": "tcp://10.0.0.1:80",
        "SOAP_HANDLER_PORT_80_TCP": "tcp://10.0.0.1:80",
        "SOAP_HANDLER_PORT_80_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert load_settings(None, {**ALONE, **environ}).server.port == 8080


def test_problems_of_file_and_environment_are_reported_together(file: Path) -> None:
    """Whatever its source, everything that is wrong is said at once."""
    found = problems({"SOAP_HANDLER_X": "", "SOAP_HANDLER_SERVER_PORT": "x"}, file)
    assert [problem.split(" ")[0] for problem in found] == [
        "SOAP_HANDLER_X",
        "account[0].inbox.password_file",
        "server.port",
    ]


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is handed in counts, so that a test or a tool decides."""
    monkeypatch.setitem(os.environ, "SOAP_HANDLER_SERVER__PORT", "9")
    monkeypatch.setitem(os.environ, "SERVER", "{}")
    assert load_settings(None, ALONE).server.port == 8080


def every_place(model: type[BaseModel] = Settings, place: introspection.Place = ()) -> list[introspection.Place]:
    """Return the place of every text setting, with two items in each list of tables; tables with names are left out."""
    found: list[introspection.Place] = []
    for name, field in model.model_fields.items():
        if introspection.named(field):
            continue
        listed, inner = introspection.tables(field), introspection.table(field)
        for step in [(name, 0), (name, 1)] if listed else [(name,)]:
            below = listed or inner
            found += every_place(below, (*place, *step)) if below else [(*place, *step)]
    return found


def variable(place: introspection.Place) -> str:
    return "SOAP_HANDLER_" + "__".join(str(step).upper() for step in place)


def is_list(place: introspection.Place) -> bool:
    field = introspection.field_at(Settings, place)
    return field is not None and introspection.items(field) is not None


def tree(values: dict[introspection.Place, Any]) -> dict[str, Any]:
    """Nest the values as TOML would."""
    root: dict[str, Any] = {}
    for place in sorted(values, key=str):
        owner: Any = root
        for step, following in itertools.pairwise(place):
            if isinstance(step, str):
                owner = owner.setdefault(step, [] if isinstance(following, int) else {})
            else:
                owner.extend({} for _ in range(step + 1 - len(owner)))
                owner = owner[step]
        owner[place[-1]] = values[place]
    return root


@given(st.data())
def test_file_and_environment_together_are_the_whole(data: st.DataObject) -> None:
    """However the settings are shared between both, and whatever the file says besides, the result is the same."""
    whole = {place: "[1]" if is_list(place) else f"value of {introspection.dotted(place)}" for place in every_place()}
    in_environ = data.draw(st.sets(st.sampled_from(sorted(whole, key=str))))
    overruled = data.draw(st.sets(st.sampled_from(sorted(whole, key=str))))
    expected = {place: json.loads(value) if is_list(place) else value for place, value in whole.items()}
    in_file = {
        place: "overruled" if place in in_environ else value
        for place, value in expected.items()
        if place not in in_environ or place in overruled or place[-1] == "reference"
    }
    file = tree(in_file)
    before = json.dumps(file)
    environment = Environment({variable(place): whole[place] for place in in_environ})
    assert environment.over(file) == tree(expected)
    assert environment.problems == []
    assert json.dumps(file) == before


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["push", "inbox", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["server", "account", "journal", "log"]), SHAPES),
    st.dictionaries(st.sampled_from([variable(place) for place in every_place()]), st.text(max_size=5), max_size=6),
)
def test_no_shape_of_the_file_breaks_the_merge(file: dict[str, Any], environ: dict[str, str]) -> None:
    """A file of the wrong shape keeps its shape, for the check to name it."""
    merged = Environment(environ).over(file)
    assert set(merged) >= set(file)


@given(st.dictionaries(st.text(max_size=8).map("SOAP_HANDLER_{}".format), st.text(max_size=5), max_size=4))
def test_no_environment_breaks_the_loading(environ: dict[str, str]) -> None:
    """Whatever the variables are, the answer is settings or a list of problems."""
    with pytest.raises(SettingsError):
        load_settings(None, environ)
