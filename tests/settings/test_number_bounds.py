"""Every number of the settings has bounds that work: what is accepted lets the service start and take a push."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from soap_handler.errors import SettingsError
from soap_handler.settings import InboxSettings, Settings, introspection, load_settings
from tests.support.service import serving, settings_for
from tests.support.wire import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic.fields import FieldInfo

FILE = '[[account]]\nreference = "x"\nanonymous = true\n'


def models(model: type[BaseModel] = Settings) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        inner = introspection.table(field) or introspection.tables(field)
        if inner is not None:
            yield from models(inner)


def numbers() -> dict[tuple[type[BaseModel], str], FieldInfo]:
    return {
        (model, name): field
        for model in models()
        for name, field in model.model_fields.items()
        if {int, float} & set(introspection.kinds(field.annotation))
    }


def extremes(model: type[BaseModel], which: str) -> dict[str, Any]:
    """Return the lowest or the highest accepted value of each number of a table."""
    found = {}
    for (owner, name), field in numbers().items():
        if owner is model:
            bounds = introspection.bounds(field)
            lowest = bounds.get("ge", math.nextafter(bounds.get("gt", 0), 1))
            found[name] = bounds["le"] if which == "highest" else lowest
    return found


def test_each_number_has_a_lowest_and_a_highest_value() -> None:
    """A number without a bound is a traceback in whatever is given it: a timeout, a file limit, a database."""
    found = numbers()
    assert len(found) > 20
    unbounded = [f"{model.__name__}.{name}" for (model, name), field in found.items() if not _is_bounded(field)]
    assert unbounded == []


def _is_bounded(field: FieldInfo) -> bool:
    bounds = introspection.bounds(field)
    return "le" in bounds and bool({"gt", "ge"} & bounds.keys())


@pytest.mark.parametrize("which", ["lowest", "highest"])
def test_a_service_starts_with_every_number_at_its_bound(tmp_path: Path, which: str) -> None:
    """The values at the very edge are no worse than the defaults: it listens, and ends when it is told to."""
    usual = settings_for(tmp_path)
    tables = {
        name: table.model_copy(update={**extremes(type(table), which), **kept})
        for name, kept in (
            ("server", {"port": 0, "drain_timeout": 5.0}),
            ("journal", {}),
            ("handler", {}),
            ("delete", {}),
            ("reconcile", {"interval": extremes(type(usual.reconcile), "highest")["interval"]}),
        )
        for table in [getattr(usual, name)]
    }
    with serving(usual.model_copy(update=tables)) as service:
        if which == "highest":  # at the lowest, each request is too large and too slow
            assert service.post(message()).confirms


def configured(model: type[BaseModel], name: str, value: float) -> Settings:
    """Return a configuration in which this number of this table has this value."""
    inbox = {"username": "u", "password": "p"}
    account: dict[str, Any] = {"reference": "x", "anonymous": True, "inbox": inbox}
    values: dict[str, Any] = {"account": [account]}
    if model is InboxSettings:
        inbox[name] = value  # type: ignore[assignment] # it is validated below
    else:
        (table,) = (each for each, field in Settings.model_fields.items() if introspection.table(field) is model)
        values[table] = {name: value}
    return Settings.model_validate(values)


def named(name: str) -> tuple[type[BaseModel], str]:
    return next(key for key in numbers() if key[1] == name)


@given(st.sampled_from(list(numbers())), st.floats() | st.integers(min_value=0, max_value=10**12))
@example(named("threads"), 10**9)
@example(named("threads"), 10**5000)
@example(named("timeout"), 1e300)
@settings(max_examples=100)
def test_what_is_within_the_bounds_is_taken_and_nothing_else(key: tuple[type[BaseModel], str], value: float) -> None:
    """The bounds are those that are documented."""
    field = key[0].model_fields[key[1]]
    bounds = introspection.bounds(field)
    is_within = bounds.get("gt", -math.inf) < value <= bounds["le"] and value >= bounds.get("ge", -math.inf)
    is_whole = is_within and value == int(value)
    try:
        configured(*key, value)
    except ValidationError:
        assert not is_within or (int in introspection.kinds(field.annotation) and not is_whole)
    else:
        assert is_within


@pytest.mark.parametrize("value", ["1e9", "1000000000", "1" * 5000, "0x" + "f" * 5000, "nan", "-inf", "[[" * 3000])
@pytest.mark.parametrize(
    "place", ["server.threads", "server.max_body", "handler.timeout", "delete.backoff_cap", "journal.timeout"]
)
def test_an_absurd_number_is_a_sentence(tmp_path: Path, place: str, value: str) -> None:
    """Whatever its size, it is named with what was expected: Python alone would refuse to write it, or to read it."""
    table, name = place.split(".")
    path = tmp_path / "soap-handler.toml"
    path.write_text(f"[{table}]\n{name} = {value}\n{FILE}")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert any(place in problem or str(path) in problem for problem in caught.value.problems)


def problems(environ: dict[str, str]) -> list[str]:
    try:
        load_settings(None, environ)
    except SettingsError as error:
        return error.problems
    return []


def _words(sentence: str) -> list[str]:
    return re.findall(r"[\w.]+", sentence)


@given(
    text=st.text(max_size=40), place=st.sampled_from(["server.host", "server.public_url", "journal.url", "log.level"])
)
@example(text="x" * 70 + ".example", place="server.host")
@example(text="https://" + "x" * 70 + ".example", place="server.public_url")
@example(text="a\0b", place="server.host")
@example(text="postgresql://u:hidden@h:port/d", place="journal.url")
@example(text="postgresql://[::1/d", place="journal.url")
@example(text="sqlite:///", place="journal.url")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_the_loading(text: str, place: str) -> None:
    """From the environment too, where a text may not even be UTF-8: it is taken, or its setting is named."""
    variable = f"SOAP_HANDLER_{place.replace('.', '_').upper()}"
    for value in (text, text + "\udcff"):
        account = {"SOAP_HANDLER_ACCOUNT__0__REFERENCE": "x", "SOAP_HANDLER_ACCOUNT__0__ANONYMOUS": "true"}
        unnamed = [each for each in problems({**account, variable: value}) if not {place, variable} & set(_words(each))]
        assert unnamed == []
