"""Doctor: looks at a service from outside, as EMS would see it, check after check, and says what to register."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from soap_handler.diagnosis import certificate, network, service
from soap_handler.diagnosis.finding import Verdict, skipped, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soap_handler.diagnosis.finding import Finding
    from soap_handler.diagnosis.visit import Visit


def examine(visit: Visit) -> Iterator[Finding]:
    """Run every check and yield its findings. None stops the next, as far as there is something to check."""
    addresses = network.resolve(visit.address)
    yield network.judge_name(visit.address, addresses)
    port = network.judge_port(visit.address, addresses, visit.timeout)
    yield port
    if port.verdict not in {Verdict.OK, Verdict.WARNING}:
        yield skipped("TLS, certificate, service", "there is no connection")
        return
    transport = list(_transport(visit, addresses))
    yield from transport
    if any(finding.what == "TLS" and finding.verdict is Verdict.WRONG for finding in transport):
        yield skipped("service", "there is no TLS")
        return
    if visit.address.is_https:
        yield service.judge_http(visit)
    yield from _service(visit, trusted=all(finding.verdict is not Verdict.WRONG for finding in transport))


def registration(visit: Visit) -> dict[str, str]:
    """Return what is to be entered in Web SMS → Options → API."""
    return {
        "URL": visit.address.url,
        "version": "Account Event Handler (SOAP)",
        "user name": visit.login.username if visit.login else "(none is known; give --config or --username)",
    }


def _transport(visit: Visit, addresses: list[str]) -> Iterator[Finding]:
    """Check what stands between: where something is wrong with it, no password is sent."""
    if visit.address.is_https:
        yield from certificate.judge_tls(visit)
        return
    mend = "put a TLS proxy before the service (soap-handler deploy nginx), and register its https address"
    judge = warning if is_this_machine(addresses) else wrong
    yield judge("https", "the address is http: EMS would send the password in the clear", mend)


def _service(visit: Visit, *, trusted: bool) -> Iterator[Finding]:
    """Check what answers. The right password is sent only where the connection can be trusted with it."""
    verifying = certificate.trusting(visit.ca_bundle) if trusted else certificate.blind()
    context = verifying if visit.address.is_https else None
    described, reply = service.judge_wsdl(visit, context)
    yield described
    if visit.login is None:
        yield skipped("passwords", "no account and user name is known", "give --config, or --account and --username")
    else:
        yield service.judge_wrong_password(visit, visit.login, context)
        if trusted:
            yield from service.judge_right_password(visit, visit.login, context)
        else:
            yield skipped("right password", "not sent, since the connection is not to be trusted with it")
    if reply is not None:
        yield service.judge_clock(reply)


def is_this_machine(addresses: list[str]) -> bool:
    """Whether all addresses are of the loopback interface."""
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in addresses)
