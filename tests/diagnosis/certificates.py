"""Certificates for localhost, each wrong in exactly one way, of a root that only the test trusts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Files:
    """A certificate with the chain that is sent, its key, and the root to trust."""

    chain: Path
    key: Path
    root: Path


def good(folder: Path) -> Files:
    """Write a certificate by an intermediate authority, whose own certificate is sent too."""
    return _issued(folder, datetime.now(UTC) + timedelta(days=90))


def expired(folder: Path) -> Files:
    return _issued(folder, datetime.now(UTC) - timedelta(days=1))


def expiring(folder: Path) -> Files:
    return _issued(folder, datetime.now(UTC) + timedelta(days=3, hours=1))


def wrong_name(folder: Path) -> Files:
    return _issued(folder, datetime.now(UTC) + timedelta(days=90), "sms.example.com")


def incomplete(folder: Path) -> Files:
    """Write the certificate alone: the intermediate authority's is not sent."""
    files = good(folder)
    pem = files.chain.read_text()
    end = "-----END CERTIFICATE-----\n"
    files.chain.write_text(pem[: pem.index(end) + len(end)])
    return files


def private_root(folder: Path) -> Files:
    """Write a whole chain, the root included, of which another root is said to be the one to trust."""
    files = good(folder)
    files.chain.write_text(files.chain.read_text() + files.root.read_text())
    trustme.CA().cert_pem.write_to_path(str(files.root))
    return files


def self_signed(folder: Path) -> Files:
    files = good(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _issued(folder: Path, ends: datetime, name: str = "localhost") -> Files:
    root = trustme.CA()
    leaf = root.create_child_ca().issue_cert(name, not_before=ends - timedelta(days=100), not_after=ends)
    files = Files(folder / "chain.pem", folder / "key.pem", folder / "root.pem")
    files.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(files.key))
    root.cert_pem.write_to_path(str(files.root))
    return files


FAULTS: Final[dict[str, tuple[Callable[[Path], Files], str, str]]] = {
    "self-signed": (self_signed, "chain", "the certificate is self-signed"),
    "private root": (private_root, "chain", "ends in a root that is not well-known"),
    "incomplete chain": (incomplete, "chain", "the chain is incomplete: the certificate of its issuer"),
    "expired": (expired, "days left", "the certificate expired on"),
    "wrong name": (wrong_name, "host name", "is not for localhost; it is for sms.example.com"),
}
"""The faults of a certificate: how it is made, which check finds it, and what that says."""
