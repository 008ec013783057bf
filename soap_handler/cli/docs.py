"""``docs``: shows the pages of documentation that ship with the package, which are Markdown files in ``docs/``."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SCHEMA: Final = "schema"


def docs(
    topic: Annotated[str | None, typer.Argument(help="The page to show; without it, the list of topics.")] = None,
) -> None:
    """Show a page of the documentation, or the list of topics."""
    from soap_handler.cli import display  # noqa: PLC0415 - it loads rich

    pages = _pages()
    if topic == _SCHEMA:
        from soap_handler.sinks.schema import json_schema  # noqa: PLC0415 - needed only here

        typer.echo(json.dumps(json_schema(), indent=2))
    elif topic is None:
        width = max(map(len, pages))
        for name, page in pages.items():
            typer.echo(f"{name:<{width}}  {_summary(page.read_text(encoding='utf-8'))}")
        typer.echo(f"{_SCHEMA:<{width}}  The JSON Schema of what sinks deliver.")
    elif topic in pages:
        display.print_page(pages[topic].read_text(encoding="utf-8"))
    else:
        raise typer.BadParameter(f"there is no page {topic!r}; expected one of {', '.join([*pages, _SCHEMA])}")


def _pages() -> dict[str, Traversable]:
    """Return the pages by topic, in alphabetical order."""
    found = files("soap_handler").joinpath("docs").iterdir()
    return {page.name.removesuffix(".md"): page for page in sorted(found, key=lambda page: page.name)}


def _summary(text: str) -> str:
    """Return the sentence under the heading of a page, on one line."""
    return " ".join(text.split("\n\n")[1].split())
