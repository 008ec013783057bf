"""Names of accounts: when two are the same, and which of them clash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from soap_handler.settings.accounts import AccountSettings


def name_key(name: str) -> str:
    """Return the form in which account names are compared: without outer white space and letter case."""
    return name.strip().casefold()


def account_of(name: str, accounts: Iterable[AccountSettings]) -> AccountSettings | None:
    """Return the account that is called so, by any of its names; ``None`` where there is none."""
    wanted = name_key(name)
    return next((each for each in accounts if wanted in map(name_key, each.names)), None)


def all_names(accounts: Iterable[AccountSettings]) -> list[str]:
    """Return the names of all accounts."""
    return [name for account in accounts for name in account.names]


def name_clashes(names: Sequence[Iterable[Any]]) -> list[str]:
    """Return a sentence for each name that more than one account bears; ``names`` holds those of each account."""
    owners: dict[str, int] = {}
    clashes = []
    for index, own in enumerate(names):
        for name in (name for name in own if isinstance(name, str)):
            owner = owners.setdefault(name_key(name), index)
            if owner != index:
                clashes.append(
                    f"account[{index}] has the name {name!r}, which account[{owner}] has already "
                    "(letter case does not count); expected another."
                )
    return clashes
