"""The help of every command: whole words within 80 columns, the values and the default of each option, examples."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer

from soap_handler.cli.examples import EXAMPLES
from soap_handler.cli.program import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Result, Run


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every command and group, by the words that call it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(program)))
EACH = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
SAYS_ITS_DEFAULT = re.compile(r"\[default: |\[required\]|^Only |otherwise|by default|without it|instead of|needs none")


@pytest.fixture(autouse=True)
def narrow(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it sets another width first
    """Show the help as a terminal of 80 columns does."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def shown() -> dict[tuple[str, ...], Result]:
    """Keep the help of each command for all tests: each time it is made anew from all commands."""
    return {}


@pytest.fixture
def help_of(run: Run, shown: dict[tuple[str, ...], Result]) -> Run:
    """Return the help of a command."""

    def ask(*path: str) -> Result:
        if path not in shown:
            shown[path] = run(*path, "-h")
        return shown[path]

    return ask


@EACH
def test_it_reads_well(run: Run, help_of: Run, path: tuple[str, ...]) -> None:
    """No type names, no boxes, no cut words, nothing beyond the edge; ``-h`` is ``--help``."""
    result = help_of(*path)
    assert (result.code, result.err) == (0, "")
    assert result.out == run(*path, "--help").out
    assert result.out.startswith(f"Usage: {shlex.join(['soap-handler', *path])}")
    assert not re.search(r"<\w+>|range>|<=x<=|[│╭…\x1b]", result.out)
    assert [line for line in result.out.splitlines() if len(line) > 80] == []
    assert not re.search(r"\w-$", result.out, re.MULTILINE), "a word is cut at its hyphen"


@EACH
def test_each_option_tells_its_values_and_its_default(help_of: Run, path: tuple[str, ...]) -> None:
    """A flag is off unless it is given; a filter is left out; of any other the help says what happens without it."""
    text = " ".join(help_of(*path).out.split())
    options = [each for each in COMMANDS[path].params if each.param_type_name == "option" and not each.hidden]
    for option in options:
        assert option.help, option.opts
        shown = " ".join(option.help.split())
        assert shown in text
        if not option.is_flag:
            said = text.partition(shown)[2].partition(" -")[0]
            assert SAYS_ITS_DEFAULT.search(shown + said), f"{option.opts}: {shown}{said}"


@EACH
def test_it_has_an_example_that_the_command_takes(help_of: Run, path: tuple[str, ...]) -> None:
    """Each example calls this command, with options that it has."""
    text = help_of(*path).out
    examples = EXAMPLES[" ".join(path)]
    assert examples
    for example in examples:
        assert f"  {example}\n" in text
        words = shlex.split(re.split(r"\s{3,}|[<>]", example)[0])
        assert words[0] == "soap-handler"
        called = max((each for each in COMMANDS if tuple(words[1 : len(each) + 1]) == each), key=len)
        assert called[: len(path)] == path
        known = {name for option in COMMANDS[called].params for name in (*option.opts, *option.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known


@EACH
def test_it_tells_the_release(run: Run, path: tuple[str, ...]) -> None:
    """``-V`` behind any command."""
    result = run(*path, "-V")
    assert (result.code, result.out.partition(" ")[0].rstrip(",")) == (0, "soap-handler")


def test_no_example_is_of_a_command_that_is_gone() -> None:
    """Each key of the examples is a command."""
    assert set(EXAMPLES) == {" ".join(path) for path in COMMANDS}


def test_a_group_alone_shows_its_commands(run: Run) -> None:
    """It says what can follow; wrong usage names the command as it is called, and ends with 2."""
    assert "Commands:" in (run("journal").out + run("journal").err)
    result = run("push", "MessageEvent", "--nothing")
    assert result.code == 2
    assert result.err.startswith("Usage: soap-handler push [OPTIONS]")
    assert "Error: No such option: --nothing" in result.err
