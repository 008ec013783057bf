"""Name and port: whether the host name resolves to addresses of the internet, and each takes a connection."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from soap_handler.diagnosis.finding import ok, skipped, warning, wrong

if TYPE_CHECKING:
    from soap_handler.diagnosis.finding import Finding
    from soap_handler.diagnosis.visit import Address


def resolve(address: Address) -> list[str]:
    """Return the IP addresses of a host name, each once; none where it does not resolve."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter: a label of the name is too long
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def judge_name(address: Address, addresses: list[str]) -> Finding:
    """Say whether the name leads into the internet."""
    if not addresses:
        mend = "correct the host name, or add an A record for it to the DNS zone"
        return wrong("name", f"{address.host} does not resolve", mend)
    text = f"{address.host} is {', '.join(addresses)}"
    private = [each for each in addresses if not ipaddress.ip_address(each.partition("%")[0]).is_global]
    if private:
        mend = "EMS comes from the internet: the public DNS must give it a public address"
        return warning("name", f"{text}; not reachable from the internet: {', '.join(private)}", mend)
    return ok("name", text)


def judge_port(address: Address, addresses: list[str], timeout: float) -> Finding:
    """Say whether each address takes a connection."""
    if not addresses:
        return skipped("port", "the name does not resolve")
    closed = {each: why for each in addresses if (why := _fault(each, address.port, timeout))}
    told = "; ".join(f"{each}: {why}" for each, why in closed.items())
    if len(closed) == len(addresses):
        mend = "start the service or its proxy, and open the port in the firewall and at the provider"
        return wrong("port", f"no connection to port {address.port}: {told}", mend)
    if closed:
        mend = "EMS may try any of the addresses: listen on all, or take the others out of the DNS zone"
        return warning("port", f"port {address.port} is open on some addresses only; {told}", mend)
    return ok("port", f"port {address.port} is open")


def _fault(host: str, port: int, timeout: float) -> str:
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        return (error.strerror or str(error) or type(error).__name__).lower()
    return ""
