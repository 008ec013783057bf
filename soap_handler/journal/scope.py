"""Scope: the part of the queue that one destination works on, told by the account and the kind of a notification.

Rules are looked at in order, and the first that matches decides. So two scopes of one list of rules never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, case, false, literal, true

from soap_handler.journal.execute import Instant
from soap_handler.journal.schema import notification

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_table = notification.c
_SINCE: Final = bindparam("_since", type_=Instant())
_ANY_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)  # in the place of a parameter's value


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches: these kinds of these accounts. Empty means all."""

    kinds: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    """Names of accounts, as the journal may have them."""

    def matches(self, account: str, kind: str) -> bool:
        """Whether a notification of this account and kind matches."""
        return (not self.kinds or kind in self.kinds) and (not self.accounts or account in self.accounts)

    def condition(self) -> ColumnElement[bool]:
        """Return the same as a condition of SQL."""
        return and_(_is_one_of(_table.kind, self.kinds), _is_one_of(_table.account, self.accounts))


def _is_one_of(column: ColumnElement[str], names: frozenset[str]) -> ColumnElement[bool]:
    """Return whether a column has one of these names; none means any.

    Each is a value of its own: a statement that is compiled once has one list of any length, that of the rows.
    """
    return column.in_([literal(name) for name in sorted(names)]) if names else true()


@dataclass(frozen=True, slots=True)
class Scope:
    """All rules in order, each with whether what it takes is in this scope."""

    rules: tuple[tuple[Rule, bool], ...]
    since: datetime | None = None
    """Only what is due at this instant or later, which spares a search the steps over what is due before."""

    def takes(self, account: str, kind: str) -> bool:
        """Whether a notification of this account and kind is in the scope."""
        return next((mine for rule, mine in self.rules if rule.matches(account, kind)), False)

    def condition(self) -> ColumnElement[bool]:
        """Return the same as a condition of SQL; where :attr:`since` is set, it is the parameter ``_since``."""
        # A CASE stays flat, however many rules there are: SQLite takes no expression of more than 1,000 levels.
        mine = [(rule.condition(), true() if is_mine else false()) for rule, is_mine in self.rules]
        found: ColumnElement[bool] = case(*mine, else_=false()) if mine else false()
        return found if self.since is None else and_(_table.due_at >= _SINCE, found)

    @property
    def at_any_instant(self) -> Scope:
        """The scope for which a statement is compiled: the same whatever :attr:`since` is, if it is set."""
        return self if self.since is None else replace(self, since=_ANY_INSTANT)

    @property
    def values(self) -> dict[str, datetime]:
        """The parameters of :meth:`condition`."""
        return {} if self.since is None else {_SINCE.key: self.since}
