"""Credentials of a request, wherever a caller may put them. Does not check them: see ``accounts``."""

from __future__ import annotations

from base64 import b64decode

from soap_handler.accounts.authentication import Credentials
from soap_handler.xml.charsets import text_of


def basic(authorization: str) -> Credentials | None:
    """Return the pair in an HTTP Basic header (RFC 7617), which names no account; ``None`` where there is none."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = text_of(b64decode(encoded.strip(), validate=True))
    except ValueError:
        return None
    username, colon, password = pair.partition(":")
    return Credentials(username, password, "") if colon else None


def has_login(credentials: Credentials | None) -> bool:
    """Whether there is a user name or a password in these."""
    return credentials is not None and bool(credentials.username or credentials.password)


def presented(*places: Credentials | None) -> Credentials | None:
    """Return the login of the first place that has one, with the account of the first place that names one.

    ``None`` where there is nothing in any of them.
    """
    login = next((each for each in places if each and has_login(each)), None)
    account = next((each.account for each in places if each and each.account), "")
    if login is None:
        return Credentials("", "", account) if account else None
    return login if login.account == account else Credentials(login.username, login.password, account)
