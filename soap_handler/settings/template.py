"""Template of the configuration file: what ``init`` writes, made from the descriptions of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from soap_handler.settings import introspection
from soap_handler.settings.model import Settings
from soap_handler.settings.reference import toml
from soap_handler.settings.sinks import SINKS, RouteSettings

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_FILL_IN: Final = frozenset({"target"})  # it has a default, but not beside an inbox, which the file has
_HEAD: Final = """\
# The configuration of soap-handler.
# Every line marked "fill in" needs a value. Lines that begin with "#" show defaults and examples.
# Each setting can come from the environment too: server.port is SOAP_HANDLER_SERVER_PORT, and the password of the
# first account's inbox is SOAP_HANDLER_ACCOUNT__0__INBOX__PASSWORD. The environment wins over this file.
"""


_ROUTE: Final = "# Everything goes to one sink; [[route]] tables before this one split it.\n[[route]]\n"


def template(sink: str | None = None) -> str:
    """Return a commented configuration file, valid TOML once the lines marked ``fill in`` have a value.

    With the type of a ``sink`` it has a route of everything to one.
    """
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        model = introspection.table(field)
        if model is not None:
            fill_in = _FILL_IN if sink is None else frozenset[str]()  # a sink needs no handlers
            parts.append(f"{_table_head(name, field, model)}\n{_lines(model, fill_in=fill_in)}")
    account = introspection.tables(Settings.model_fields["account"])
    inbox = introspection.table(account.model_fields["inbox"]) if account else None
    if account and inbox:
        parts.append(f"# One such table for each EMS account.\n[[account]]\n{_lines(account)}")
        parts.append(f"# {account.model_fields['inbox'].description}\n[account.inbox]\n{_lines(inbox)}")
    if sink is not None:
        table = _lines(SINKS[sink], skipped=frozenset({"type"}))
        parts.append(_ROUTE + _lines(RouteSettings, skipped=frozenset({"sink"})) + 'sink = "mine"\n')
        parts.append(f'# {SINKS[sink].__doc__}\n[sink.mine]\ntype = "{sink}"\n{table}')
    return "\n".join(parts)


def _table_head(name: str, field: FieldInfo, model: type[BaseModel]) -> str:
    """Return the head of a table; of one that may be left out, as a comment that says what it is."""
    return f"# {model.__doc__}\n# [{name}]" if introspection.optional(field) else f"[{name}]"


def _lines(model: type[BaseModel], skipped: frozenset[str] = frozenset(), fill_in: frozenset[str] = frozenset()) -> str:
    return "".join(
        f"# {field.description}\n{_line(name, field, to_fill_in=field.is_required() or name in fill_in)}\n"
        for name, field in model.model_fields.items()
        if introspection.table(field) is None and name not in skipped
    )


def _line(name: str, field: FieldInfo, *, to_fill_in: bool) -> str:
    pairs = introspection.tables(field)
    if pairs is not None:
        pair = ", ".join(f"{key} = {toml((one.examples or [''])[0])}" for key, one in pairs.model_fields.items())
        if field.examples:  # it may be left out
            return f"# {name} = [{{ {pair} }}]"
        return f"{name} = [\n  {{ {pair} }}, # fill in\n]"
    if to_fill_in:
        return f'{name} = "" # fill in'
    return f"# {name} = {toml(field.examples[0] if field.examples else field.default)}"
