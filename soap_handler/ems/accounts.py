"""Accounts of the simulated EMS, with their credentials in both directions."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EmsAccount:
    """One account of EMS. Passwords are left out of its repr.

    ``username`` and ``password`` are for the inbox. EMS presents ``push_username`` and ``push_password`` to the Account
    Event Handler, as registered in Web SMS. ``number`` is the account's other name (contract, section 4); the inbox
    accepts both. ``pushed_as`` is the name in pushes, by default the reference.
    """

    reference: str
    username: str
    password: str = field(repr=False)
    push_username: str
    push_password: str = field(repr=False)
    number: str = ""
    pushed_as: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of the account."""
        return tuple(name for name in (self.reference, self.number) if name)
