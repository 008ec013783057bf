"""The settings in use: each value, secrets masked, and where it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flask import render_template
from pydantic import BaseModel, SecretStr

from soap_handler.console.pages.site import site
from soap_handler.console.parts import parts
from soap_handler.settings import JournalSettings
from soap_handler.settings.introspection import dotted
from soap_handler.settings.provenance import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.settings import Settings
    from soap_handler.settings.introspection import Place
    from soap_handler.settings.provenance import Provenance

MASK: Final = "••••••"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting."""

    name: str
    value: str
    origin: str
    meaning: str

    @property
    def is_default(self) -> bool:
        """Whether no source says it."""
        return self.origin == DEFAULT


@dataclass(frozen=True, slots=True)
class Rows:
    """The settings of one table."""

    table: str
    rows: tuple[Row, ...]

    @property
    def said(self) -> int:
        """How many of them a source says."""
        return sum(not row.is_default for row in self.rows)


@site.get("/settings")
def configuration() -> str:
    """Show the settings in use: those of the start, and what a reload took up."""
    return render_template("configuration.html", now=parts().journal.now(), tables=list(rows(parts().settings)))


def rows(settings: Settings) -> Iterator[Rows]:
    """Yield the tables with the values in use, in the order of the file."""
    yield from _tables(settings, (), settings.provenance)


def _tables(model: BaseModel, place: Place, provenance: Provenance) -> Iterator[Rows]:
    shown = model.model_dump(mode="json", warnings=False)
    own, inner = [], []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        below = list(_below(value, (*place, name)))
        if below:
            inner += below
            continue
        is_set = name in model.model_fields_set
        origin = provenance.of((*place, name), is_set=is_set)
        own.append(Row(name, _text(model, name, value, shown[name]), origin, field.description or ""))
    if own and place:
        yield Rows(dotted(place), tuple(own))
    for table, at in inner:
        yield from _tables(table, at, provenance)


def _below(value: object, place: Place) -> Iterator[tuple[BaseModel, Place]]:
    """Yield the tables that a value is or holds."""
    if isinstance(value, BaseModel):
        yield value, place
    items: Any = enumerate(value) if isinstance(value, tuple) else value.items() if isinstance(value, dict) else ()
    for step, item in items:
        if isinstance(item, BaseModel):
            yield item, (*place, step)


def _text(model: BaseModel, name: str, value: object, shown: Any) -> str:  # noqa: ANN401 - any setting's value
    """Return a value as the page shows it: never a secret, and of a program's arguments only how many there are."""
    if isinstance(model, JournalSettings) and name == "url":
        return model.masked_url
    if isinstance(value, SecretStr):
        return _masked_address(value) if name == "url" else MASK
    if name == "command" and isinstance(value, tuple):
        return f"{value[0]} and {len(value) - 1} arguments" if len(value) > 1 else str(value[0])
    if shown is None:
        return "unset"
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _masked_address(url: SecretStr) -> str:
    """Return the scheme and the host of an address; its path may be a secret too."""
    parts = urlsplit(url.get_secret_value())
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}/{MASK}"
