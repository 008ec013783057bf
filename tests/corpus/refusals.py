"""Requests that stay refused, repaired or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from soap_handler.contract import NAMESPACE, SOAP_11
from tests.corpus.messages import PASSWORD, Message, element
from tests.corpus.structures import no_header

Mutation = Callable[[Message], Message]


def _header(told: Message, old: str, new: str) -> Message:
    return replace(told, header=told.header.replace(old.encode(), new.encode()))


def _whole(change: Callable[[bytes], bytes]) -> Mutation:
    return lambda told: replace(told, transform=change)


def _first(told: Message) -> str:
    return next(iter(told.parts))


ROUTE: Final = b'<x:Route xmlns:x="urn:route" soap:mustUnderstand="1"/>'
DOCTYPE: Final = b'<!DOCTYPE a [<!ENTITY e "x">]>'
REFUSED: Final[dict[str, tuple[Mutation, str]]] = {
    "wrong password": (lambda told: _header(told, PASSWORD, "guess"), "Client"),
    "wrong password, repaired": (lambda told: _header(told, PASSWORD, "gu&#1;ess"), "Client"),
    "right password and a control character": (lambda told: _header(told, PASSWORD, PASSWORD + "&#1;"), "Client"),
    "right password and half an emoji": (lambda told: _header(told, PASSWORD, PASSWORD + "&#xD83D;"), "Client"),
    "half the password": (lambda told: _header(told, PASSWORD, PASSWORD[:-1]), "Client"),
    "no password": (lambda told: _header(told, f"<Password>{PASSWORD}</Password>", ""), "Client"),
    "wrong account": (lambda told: _header(told, "EX0012345", "EX0099999"), "Client"),
    "wrong password in the body": (
        lambda told: no_header(replace(told, parts={"password": b"<password>no</password>"} | told.parts)).with_content(
            "password", b"no"
        ),
        "Client",
    ),
    "no credentials": (lambda told: replace(told, header=b""), "Client"),
    "no credentials, repaired": (lambda told: replace(told, header=b"", after=b"&#1;"), "Client"),
    "another SOAP": (_whole(lambda body: body.replace(SOAP_11.encode(), b"urn:soap:9")), "VersionMismatch"),
    "another SOAP, repaired": (
        _whole(lambda body: body.replace(SOAP_11.encode(), b"urn:soap:9") + b"\0"),
        "VersionMismatch",
    ),
    "no envelope": (
        lambda told: replace(told, transform=lambda body: body.partition(b"Body>")[2].partition(b"</soap:")[0]),
        "Client",
    ),
    "unknown operation": (
        _whole(
            lambda body: (
                body.replace(b"<Message", b"<Letter")
                .replace(b"</Message", b"</Letter")
                .replace(b"Subs", b"Abs")
                .replace(b"Letternger", b"Messenger")
            )
        ),
        "Client",
    ),
    "no parameter": (lambda told: replace(told, parts={}), "Client"),
    "no known parameter": (
        lambda told: replace(told, parts={f"x-{name}": element(f"x-{name}", b"1") for name in told.parts}),
        "Client",
    ),
    "parameters one level deeper": (
        lambda told: replace(told, parts={"parameters": element("parameters", b"".join(told.parts.values()))}),
        "Client",
    ),
    "parameters as attributes": (
        lambda told: replace(told, parts={}, operation=("", f'xmlns="{NAMESPACE}" id="1" mobileNumber="2"')),
        "Client",
    ),
    "a parameter too few by position": (
        lambda told: replace(told, parts={f"param{n}": element(f"param{n}", b"1") for n in range(len(told.parts) - 1)}),
        "Client",
    ),
    "an empty operation after": (lambda told: replace(told, after=b"<MessageEvent/>"), "Client"),
    "two Bodies": (_whole(lambda body: body.replace(b"</soap:Envelope>", b"<soap:Body/></soap:Envelope>")), "Client"),
    "must understand": (lambda told: replace(told, header=told.header + ROUTE), "MustUnderstand"),
    "must understand, repaired": (
        lambda told: replace(told, header=told.header + ROUTE, after=b"&#1;"),
        "MustUnderstand",
    ),
    "DTD": (_whole(lambda body: body.replace(b"?>", b"?>" + DOCTYPE)), "Client"),
    "DTD, repaired": (_whole(lambda body: body.replace(b"?>", b"?>" + DOCTYPE) + b"\0"), "Client"),
    "DTD in UTF-16": (_whole(lambda body: body.replace(b"?>", b"?>" + DOCTYPE).decode().encode("utf-16")), "Client"),
    "entity of a DTD": (
        lambda told: replace(told, after=b"&e;", transform=lambda body: body.replace(b"?>", b"?>" + DOCTYPE)),
        "Client",
    ),
    "DTD in small letters": (_whole(lambda body: body.replace(b"?>", b"?>" + DOCTYPE.lower())), "Client"),
    "cut off": (_whole(lambda body: body[:-20]), "Client"),
    "cut off, with a control character": (_whole(lambda body: body[:-20] + b"\x01"), "Client"),
    "tags that do not match": (_whole(lambda body: body.replace(b"</soap:Body>", b"</soap:Bodo>")), "Client"),
    "text after the end": (_whole(lambda body: body + b"more"), "Client"),
    "a section without an end": (lambda told: replace(told, after=b"<![CDATA[ \x01"), "Client"),
    "reference to nowhere": (
        lambda told: told.with_part(_first(told), f'<{_first(told)} href="#no"/>'.encode()),
        "Client",
    ),
    "reference to another place": (
        lambda told: told.with_part(_first(told), f'<{_first(told)} href="http://127.0.0.1:9/"/>'.encode()),
        "Client",
    ),
    "reference to itself": (
        lambda told: told.with_part(_first(told), f'<{_first(told)} id="a" href="#a"/>'.encode()),
        "Client",
    ),
    "references in a circle": (
        lambda told: replace(
            told.with_part(_first(told), f'<{_first(told)} href="#a"/>'.encode()),
            after=b'<r id="a" href="#b"/><r id="b" href="#a"/>',
        ),
        "Client",
    ),
    "too deep, repaired": (lambda told: replace(told, after=b"<a>" * 40 + b"&#1;" + b"</a>" * 40), "Client"),
}
