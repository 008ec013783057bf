"""What is wrong with the TLS of the inbox service is said in words: issuer, name, date, or no TLS at all."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from soap_handler.connection_faults import tls_fault
from soap_handler.errors import InboxUnavailableError
from soap_handler.inbox import Inbox
from soap_handler.settings import InboxSettings
from tests.diagnosis import certificates
from tests.diagnosis.fronts import answering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refuse(_method: str, _path: str, _body: bytes) -> tuple[int, str, bytes]:
    return 500, "text/plain", b"no"


def reason(port: int, root: Path | None) -> str:
    """Return what is said of a call to this port, where this root is trusted."""
    settings = InboxSettings(
        url=f"https://localhost:{port}/InboxService.asmx", username="u", password=SecretStr("hidden"), ca_bundle=root
    )
    inbox = Inbox("EX0012345", settings)
    try:
        with pytest.raises(InboxUnavailableError) as caught:
            inbox.check_login()
    finally:
        inbox.close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (certificates.private_root, "of an unknown issuer"),
        (certificates.incomplete, "of an unknown issuer"),
        (certificates.wrong_name, "for another name"),
        (certificates.expired, "has expired"),
    ],
)
def test_what_is_wrong_with_the_certificate_is_said(
    tmp_path: Path, make: Callable[[Path], certificates.Files], said: str
) -> None:
    """The operator learns which of them, instead of the name of an exception."""
    files = make(tmp_path)
    with answering(refuse, files) as port:
        assert reason(port, files.root) == f"TLS: the certificate {'is ' if not said.startswith('has') else ''}{said}"


def test_plain_http_on_the_port_is_said(tmp_path: Path) -> None:
    """``https`` where the service speaks none."""
    with answering(refuse) as port:
        assert "without TLS" in reason(port, certificates.good(tmp_path).root)


def test_an_old_version_of_tls_is_said() -> None:
    """And whatever else OpenSSL has a name for is shown by that name, without its text."""
    error = ssl.SSLError(1, "hidden")
    error.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
    assert tls_fault(error) == "TLS: there is no version of TLS that both sides speak"
    error.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    assert tls_fault(error) == "TLS: the handshake failed (TLSV1_ALERT_INTERNAL_ERROR)"
    assert tls_fault(OSError("hidden")) is None
