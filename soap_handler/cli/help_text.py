"""The help of every command: plain text of whole words, with the values and the default of each option, and examples.

typer's own help draws boxes, cuts words at their edges and names types such as ``<bool>``. This one reads the same on a
terminal and in a file.
"""

from __future__ import annotations

import itertools
import re
import shutil
import textwrap
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand, TyperGroup

from soap_handler.cli.examples import EXAMPLES
from soap_handler.cli.version import show_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import typer

_WIDEST: Final = 100  # characters; longer lines are hard to read
_NARROWEST: Final = 40
_LEFT: Final = 28  # characters of the column of names, where the longest name is longer
_KINDS: Final = (  # what typer calls the kinds of values, with and without its own copy of click
    (re.compile(r"<(int|float)( range)?>|\b(INTEGER|FLOAT)( RANGE)?\b"), "N"),
    (re.compile(r"<(path|file|directory)>|\bPATH\b"), "FILE"),
    (re.compile(r"<(list\[)?str\]?>"), "TEXT"),
    (re.compile(r"\s*<bool>"), ""),
    (re.compile(r":?[<{]([\w|-]+)[>}]"), r" [\1]"),
)
_VERSION: Final = (["-V"], ["--version"])
_RANGE: Final = re.compile(r"(-?[\d.]+)<=x<=([\d.]+)")
_ANY_NUMBER: Final = re.compile(r"; -?\d{10,} to \d{10,}|\[-?\d{10,} to \d{10,}\]")


class _OwnHelp:
    """Mixed into a command of typer: its help is written here, and it knows ``-V``, as the program does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of typer or of click, by its release
        """Read the arguments."""
        show_version(args[:1] in _VERSION)
        found: list[str] = super().parse_args(ctx, args)  # type: ignore[misc] # of the class beside it
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the help."""
        formatter.write(help_of(self, ctx))


class Command(_OwnHelp, TyperCommand):
    """A command with the help of here."""


class Group(_OwnHelp, TyperGroup):
    """A group of commands with the help of here."""


def adopt(program: typer.Typer) -> None:
    """Have every command of a program and of its groups show this help."""
    for command in program.registered_commands:
        command.cls = Command
    for group in program.registered_groups:
        assert group.typer_instance is not None  # noqa: S101 - typer sets it; this tells mypy
        group.typer_instance.info.cls = group.cls = Group
        group.typer_instance.info.no_args_is_help = True
        group.typer_instance.rich_markup_mode = None
        adopt(group.typer_instance)


def help_of(command: Any, ctx: Any) -> str:  # noqa: ANN401 - of typer or of click, by its release
    """Return the help of a command."""
    width = max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST))
    path = ctx.command_path
    usage = " ".join(_argument(piece) for piece in command.collect_usage_pieces(ctx))
    blocks = [f"Usage: {path} {usage}", *_paragraphs(command.help or "", width)]
    arguments, options = [], []
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            names, text = _row(*record)
            if parameter.param_type_name == "argument":
                name, _, kind = names.partition(" ")
                arguments.append((f"{_argument(name)} {kind.removeprefix('TEXT').removeprefix('FILE')}".strip(), text))
            else:
                options.append((names, text))
    blocks += _section("Arguments", arguments, width)
    blocks += _section("Options", options, width)
    blocks += _section("Commands", list(_commands(command, ctx)), width)
    examples = EXAMPLES.get(path.partition(" ")[2], ())
    if examples:
        blocks.append("\n".join(["Examples:", *(f"  {line}" for line in examples)]))
    return "\n\n".join(blocks) + "\n"


def _commands(command: Any, ctx: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
    for name in command.list_commands(ctx) if isinstance(command, TyperGroup) else ():
        found = command.get_command(ctx, name)
        if not found.hidden:
            yield name, " ".join((found.help or "").split("\n\n")[0].split())


def _row(names: str, text: str) -> tuple[str, str]:
    """Return an option's names with the kind of its value, and its text with the values and the default."""
    text = text.replace("\\[", "[")  # an escape of rich's markup
    text = _ANY_NUMBER.sub("", _RANGE.sub(r"\1 to \2", text))
    return _plain(names), re.sub(r"\[default: \((.*)\)\]", r"[default: \1]", " ".join(text.split()))


def _argument(piece: str) -> str:
    """Return an argument as its place in the line is written: ``KIND``, ``[NUMBER]``, ``[KEY]...``."""
    if piece == "[OPTIONS]" or " " in piece:
        return piece
    name = piece.strip("[]{}.").partition(":")[0].upper()
    many = "..." if piece.endswith("...") else ""
    return f"[{name}]{many}" if piece.startswith("[") else f"{name}{many}"


def _plain(names: str) -> str:
    for kind, name in _KINDS:
        names = kind.sub(name, names)
    return " ".join(names.split())


def _paragraphs(text: str, width: int) -> list[str]:
    return [_wrapped(" ".join(each.split()), width - 2, "  ") for each in text.split("\n\n") if each.strip()]


def _section(title: str, rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return two columns; a name that is too long for its column has a line of its own."""
    if not rows:
        return []
    left = min(_LEFT, max(len(name) for name, _ in rows))
    lines = [f"{title}:"]
    for name, text in rows:
        block = _wrapped(text, width - left - 4, "").split("\n")
        if len(name) > left:
            lines.append(f"  {name}")
        names = itertools.chain([name if len(name) <= left else ""], itertools.repeat(""))
        lines += [f"  {each:<{left}}  {line}".rstrip() for line, each in zip(block, names, strict=False)]
    return ["\n".join(lines)]


def _wrapped(text: str, width: int, indent: str) -> str:
    lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return "\n".join(indent + line for line in lines)
