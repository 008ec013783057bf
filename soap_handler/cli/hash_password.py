"""``hash-password``: prints the hash of a password for the configuration."""

from __future__ import annotations

import sys

import typer


def hash_password() -> None:
    """Print the scrypt hash of a password of pushes or of the console, to take its place in the configuration.

    Asks for the password twice; without a terminal it is the first line of the standard input. EMS keeps presenting
    the password itself. The password of an inbox cannot be hashed, because EMS must be shown it.
    """
    from soap_handler.accounts import passwords  # noqa: PLC0415 - only this command needs it

    password = _asked() if sys.stdin.isatty() else _piped()
    if not password:
        typer.echo("soap-handler: there is no password; expected it as the first line of the standard input", err=True)
        raise typer.Exit(2)
    typer.echo(passwords.hash_password(password))


def _asked() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _piped() -> str:
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
