"""Who is calling, behind proxies and without, and who may."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap_handler.web.client_address import Callers
from tests.support.events import captured_events


def environ(peer: str, forwarded: str | None = None, proto: str | None = None) -> dict[str, Any]:
    found = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
    if forwarded is not None:
        found["HTTP_X_FORWARDED_FOR"] = forwarded
    if proto is not None:
        found["HTTP_X_FORWARDED_PROTO"] = proto
    return found


PROXIES = [ip_network(text) for text in ("127.0.0.1", "10.0.0.0/8", "fd00::/8")]
PROXIED = Callers(trusted_proxies=PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # not a trusted proxy: what it says does not count
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the left one is the caller's invention
        ("127.0.0.1", "203.0.113.9, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 10.8.8.8", "10.9.9.9"),  # all trusted: the first
        ("127.0.0.1", "203.0.113.9, rubbish", "unknown"),  # and not what is left of it
        ("127.0.0.1", "203.0.113.9, unix:", "unknown"),
        ("127.0.0.1", "rubbish, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("127.0.0.1", '"2001:DB8::1"', "2001:db8::1"),
        ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "198.51.100.1, ::ffff:10.0.0.1", "198.51.100.1"),
        ("fe80::1%eth0", None, "fe80::1"),
        ("127.0.0.1", " , ,198.51.100.1, ,", "198.51.100.1"),
        ("127.0.0.1", "1" * 20000, "unknown"),
        ("127.0.0.1", "198.51.100.1," * 1000 + "10.0.0.1", "198.51.100.1"),
        ("", None, "unknown"),  # a Unix socket
        ("localhost", "198.51.100.1", "unknown"),
    ],
)
def test_the_caller_is_the_rightmost_address_that_is_no_trusted_proxy(
    peer: str, forwarded: str | None, caller: str
) -> None:
    """Only proxies that are trusted are believed, and only for the address that they were called from."""
    assert PROXIED.address(environ(peer, forwarded)) == caller


@given(st.text(max_size=100), st.text(max_size=200))
def test_no_header_breaks_it_or_names_anything_but_an_address(peer: str, forwarded: str) -> None:
    """Whatever is sent, the answer is an address or ``unknown``: fit for logs."""
    callers = Callers(trusted_proxies=[ip_network("0.0.0.0/0"), ip_network("::/0")])
    for each in (environ(peer, forwarded), environ("127.0.0.1", forwarded)):
        found = callers.address(each)
        assert found == "unknown" or (len(found) < 46 and set(found) <= set("0123456789abcdef:."))


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "HTTPS", "https"),
        ("127.0.0.1", "http, https", "https"),
        ("127.0.0.1", "https, http", "http"),
        ("127.0.0.1", "javascript", "http"),
        ("127.0.0.1", None, "http"),
        ("192.0.2.1", "https", "http"),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says(peer: str, proto: str | None, scheme: str) -> None:
    """The description must show https when EMS came by https."""
    assert PROXIED.scheme(environ(peer, proto=proto)) == scheme


def test_all_are_admitted_when_no_network_is_named() -> None:
    """An empty list means no restriction; unknown callers included."""
    assert PROXIED.check(environ("198.51.100.1")) == ("198.51.100.1", True)
    assert PROXIED.check(environ("")) == ("unknown", True)
    assert PROXIED.refused == 0


def test_only_the_named_networks_are_admitted() -> None:
    """Both families; an address that cannot be read is in none of them."""
    callers = Callers([ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])
    assert all(callers.check(environ(each))[1] for each in ("192.0.2.255", "2001:db8::1", "::ffff:192.0.2.1"))
    assert not any(callers.check(environ(each))[1] for each in ("192.0.3.0", "2001:db9::1", "unknown", ""))
    assert callers.refused == 4
    assert not callers.allows("192.0.3.0")
    assert callers.refused == 4, "only looking does not count"


def test_refusals_are_logged_with_the_address_but_do_not_flood() -> None:
    """One line a minute for each address, and every one is counted."""
    callers = Callers([ip_network("192.0.2.0/24")])
    with captured_events() as logged:
        for _ in range(50):
            callers.check(environ("198.51.100.1"))
        callers.check(environ("198.51.100.2"))
    assert [(line["event"], line["caller"]) for line in logged] == [
        ("address_refused", "198.51.100.1"),
        ("address_refused", "198.51.100.2"),
    ]
    assert callers.refused == 51
