"""A finding: what one check found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """The service runs, but perhaps not as intended."""
    WRONG = "wrong"
    SKIPPED = "skipped"
    """Not checked, because it depends on something that is wrong or missing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. The text is one line and holds no secret."""

    verdict: Verdict
    what: str
    text: str
    mend: str = ""
    """How to mend it; empty where nothing is to be mended, or the text says it."""


def ok(what: str, text: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(Verdict.OK, what, text)


def warning(what: str, text: str, mend: str) -> Finding:
    """Return the finding that the service runs, but perhaps not as intended."""
    return Finding(Verdict.WARNING, what, text, mend)


def wrong(what: str, text: str, mend: str) -> Finding:
    """Return the finding that something is wrong."""
    return Finding(Verdict.WRONG, what, text, mend)


def skipped(what: str, text: str, mend: str = "") -> Finding:
    """Return the finding that nothing could be found out."""
    return Finding(Verdict.SKIPPED, what, text, mend)
