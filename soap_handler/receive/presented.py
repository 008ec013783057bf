"""What the log may show of the name of an account that no account has, so that a missing alias is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from soap_handler.accounts.authentication import Credentials

_REFERENCE: Final = re.compile(r"[A-Za-z]{2}\d{5,10}", re.ASCII)
_NUMBER: Final = re.compile(r"\+?\d{6,15}", re.ASCII)


def shown(credentials: Credentials | None) -> str:
    """Return the name that was presented, or what it looks like where it may be something that a log must not hold.

    A reference of an account is shown. Of a number, which may be a person's, the last three digits are. Any other text
    may be a password in the wrong place, so it is only counted.
    """
    name = credentials.account.strip() if credentials else ""
    if credentials is None or not name:
        return "none"
    if _REFERENCE.fullmatch(name) and name not in {credentials.password, credentials.username}:
        return name
    digits = sum(character.isdigit() for character in name)
    if _NUMBER.fullmatch(name) and name != credentials.password:
        return f"a number of {digits} digits that ends in {name[-3:]}"
    return f"a text of {len(name)} characters, {digits} of them digits"
