"""How customers plug in their code: registering, loading by name, and what is said when that fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from soap_handler import Handlers, MessageReceived
from soap_handler.dispatch.handlers import load
from soap_handler.errors import HandlerNotFoundError
from soap_handler.notifications import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def handle(_: object) -> None:
    """Do nothing, and so handle anything."""


@pytest.mark.parametrize(
    ("register", "kind"),
    [
        ("message_received", Kind.MESSAGE_RECEIVED),
        ("message_event", Kind.MESSAGE_EVENT),
        ("message_error", Kind.MESSAGE_ERROR),
        ("subscription_event", Kind.SUBSCRIPTION_EVENT),
    ],
)
def test_each_decorator_registers_its_kind(register: str, kind: Kind) -> None:
    """The decorator gives the function back, and it handles this kind alone."""
    handlers = Handlers()
    assert getattr(handlers, register)(handle) is handle
    assert {each: handlers.get(each) for each in Kind if handlers.get(each)} == {kind: handle}


def test_a_kind_has_one_handler() -> None:
    """A second one is a mistake: it is refused by name instead of silently replacing the first."""
    handlers = Handlers()
    handlers.message_received(handle)
    with pytest.raises(ValueError, match=r"MessageReceived has a handler already.*handle"):
        handlers.message_received(lambda _: None)


def test_one_for_all_leaves_those_that_are_there() -> None:
    """A handler of all kinds takes what is left."""
    handlers = Handlers()
    handlers.message_event(handle)
    handlers.all_kinds(print)
    assert [handlers.get(kind) for kind in Kind] == [print, handle, print, print]


async def handle_later(_: object) -> None:
    """Do nothing before it is awaited, which it never is."""


def generate(_: object) -> Iterator[None]:
    yield


class Sink:
    """Made from a notification, it would do nothing with it."""


@pytest.mark.parametrize("unfit", [handle_later, generate, Sink, "text", None])
def test_what_would_do_nothing_is_refused(unfit: Any) -> None:
    """Calling these returns at once: the notification would count as handled and be lost."""
    with pytest.raises(TypeError, match=r"plain function|is a function"):
        Handlers().message_received(unfit)


# -- loading -----------------------------------------------------------------------------------------------------------

EXAMPLE = """
from soap_handler import Handlers, MessageReceived

handlers = Handlers()

class inner:
    handlers = handlers

@handlers.message_received
def on_message(message: MessageReceived) -> None:
    print(message.body)

def everything(notification): pass
async def later(notification): pass
number = 7
"""


ALONE = """
from soap_handler import MessageEvent
def no_parameter(): pass
def one_kind(event: MessageEvent): pass
"""
UNFIT = """
from soap_handler import Handlers
def on_message(): pass
handlers = Handlers()
handlers.message_received(on_message)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a directory of the customer's, with modules in it."""
    (tmp_path / "my_example.py").write_text(EXAMPLE)
    (tmp_path / "my_broken.py").write_text("import no_such_module_anywhere")
    (tmp_path / "my_outer.py").write_text("import json\n\nimport my_broken")
    (tmp_path / "my_value.py").write_text(
        "import json\n\njson.loads('[]', parse_int=1) or (_ for _ in ()).throw(ValueError('no'))"
    )
    (tmp_path / "my_unfit.py").write_text(UNFIT)
    (tmp_path / "my_alone.py").write_text(ALONE)
    (tmp_path / "my_exit.py").write_text("import sys; sys.exit('usage')")
    (tmp_path / "my_syntax.py").write_text("def (")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "sms.py").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("target", ["my_example:handlers", "my_package.sms:handlers", "my_example:inner.handlers"])
def test_handlers_are_found_in_the_working_directory(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """package.module:attribute, as the settings name it."""
    function = load(target).get(Kind.MESSAGE_RECEIVED)
    assert function is not None
    function(MessageReceived(account="EX0000001", id="1", body="Yes please"))
    assert capsys.readouterr().out == "Yes please\n"


@pytest.mark.usefixtures("here")
def test_a_function_handles_every_kind() -> None:
    """A function can be named in the place of handlers."""
    handlers = load("my_example:everything")
    assert all(handlers.get(kind).__name__ == "everything" for kind in Kind)  # type: ignore[union-attr] # it is there


def test_handlers_are_found_in_the_environment(here: Path) -> None:
    """What is installed is found too, such as our own sinks."""
    assert here
    assert load("soap_handler.sinks.stdout:handlers").get(Kind.MESSAGE_ERROR) is not None


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("my_example", "expected package.module:attribute"),
        (":handlers", "expected package.module:attribute"),
        ("my_example:", "expected package.module:attribute"),
        ("my_missing:handlers", "No module named 'my_missing'"),
        ("my_package.missing:handlers", "No module named 'my_package.missing'"),
        (".sms:handlers", "cannot be imported"),
        ("my_broken:handlers", "No module named 'no_such_module_anywhere'"),
        ("my_broken:handlers", "my_broken.py, line 1"),
        ("my_outer:handlers", "my_broken.py, line 1"),
        ("my_value:handlers", "(ValueError: no; "),
        ("my_value:handlers", "my_value.py, line 3)"),
        ("my_syntax:handlers", "(my_syntax.py, line 1)"),
        ("my_unfit:handlers", "on_message"),
        ("my_unfit:handlers", "my_unfit.py, line 3"),
        ("my_alone:no_parameter", "no_parameter ("),
        ("my_alone:one_kind", "one_kind ("),
        ("my_exit:handlers", "SystemExit: usage"),
        ("my_syntax:handlers", "SyntaxError"),
        ("my_example:missing", "no attribute 'missing'"),
        ("my_example:number", "is a int; expected Handlers or a plain function"),
        ("my_example:inner", "is a type; expected Handlers or a plain function"),
        ("my_example:Handlers", "is a type; expected Handlers or a plain function"),
        ("my_example:later", "expected Handlers or a plain function"),
    ],
)
def test_a_target_that_leads_nowhere_says_why(target: str, words: str) -> None:
    """One error of ours, with the target and the reason in it."""
    with pytest.raises(HandlerNotFoundError) as caught:
        load(target)
    assert words in str(caught.value)
    assert repr(target) in str(caught.value)


def test_the_working_directory_comes_first(here: Path) -> None:
    """A fresh process finds the customer's module although nothing put it on the path."""
    code = (
        "from soap_handler.dispatch.handlers import load; "
        "print(load('my_example:handlers').get('MessageReceived').__name__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout == "on_message\n"


def test_the_example_of_the_readme_works(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What we tell customers to write can be loaded and called."""
    (example,) = re.findall(r"```python\n# (?:\w+\.py)\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (here / "my_readme.py").write_text(example)
    function = load("my_readme:handlers").get(Kind.MESSAGE_RECEIVED)
    assert function is not None
    function(MessageReceived(account="EX0000001", id="1", originator="447700900001", body="Yes please"))
    assert "447700900001 Yes please" in capsys.readouterr().out
