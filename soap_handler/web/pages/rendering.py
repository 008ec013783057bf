"""Rendering of the templates with Jinja2, and the headers of every page. Nothing is loaded before the first page."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from soap_handler.faces.base import Answer

if TYPE_CHECKING:
    from jinja2 import Environment

CONTENT_TYPE: Final = "text/html; charset=utf-8"
NOT_INDEXED: Final = (("X-Content-Type-Options", "nosniff"), ("X-Robots-Tag", "noindex, nofollow"))
"""Headers of everything that GET gives."""

_FOLDER: Final = Path(__file__).parent / "templates"


def page(template: str, status: str = "200 OK", **values: object) -> Answer:
    """Return a page. Every value is escaped, and a name that the template uses must be given."""
    text = _environment().get_template(f"{template}.html").render(values)
    return Answer(status, CONTENT_TYPE, text.encode(), _headers())


@cache
def _environment() -> Environment:
    import jinja2  # noqa: PLC0415 - 0.1 s and some megabytes, which a service that shows no page need not pay
    from markupsafe import Markup  # noqa: PLC0415 - comes with it

    loader = jinja2.FileSystemLoader(_FOLDER)
    settings: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, **settings)
    environment.globals["stylesheet"] = Markup(_style())  # noqa: S704 - it is our own file
    return environment


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def _headers() -> tuple[tuple[str, str], ...]:
    """Return the headers of a page: no script, nothing from elsewhere, in no frame, in no index, in no cache."""
    style = b64encode(sha256(_style().encode()).digest()).decode()
    policy = [
        "default-src 'none'",
        f"style-src 'sha256-{style}'",
        "img-src data:",  # the empty icon, without which a browser asks for /favicon.ico
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    return (
        ("Content-Security-Policy", "; ".join(policy)),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        *NOT_INDEXED,
    )
