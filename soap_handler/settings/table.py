"""The base of every table of the configuration."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

SENTENCE: Final = "sentence"
"""Type of the pydantic error that has its own words."""


class Table(BaseModel):
    """A frozen table that takes no unknown key, and whose errors never quote a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def sentence(text: str) -> PydanticCustomError:
    """Return a problem that is a whole sentence already."""
    return PydanticCustomError(SENTENCE, "{sentence}", {"sentence": text})
