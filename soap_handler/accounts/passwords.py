"""Password hashing: scrypt, in the PHC text form. Does not know whose hash it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

_FORM: Final = re.compile(
    r"\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,2}),p=(?P<p>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{22,86})"
)
_PREFIX: Final = "$scrypt$"
_OTHER_HASH: Final = re.compile(r"\$(argon2\w*|2[abxy]|[1567y]|pbkdf2[\w-]*|bcrypt[\w-]*)\$.{20,}", re.DOTALL)

_LN: Final = 14  # about 50 ms and 16 MiB: a login is proved once, not at every request (see accounts)
_R: Final = 8
_P: Final = 1
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_MEMORY_BYTES: Final = 160 * 1024 * 1024  # that a check may take
_MAX_COST: Final = 2**20  # N times r times p that a check may take: about half a second


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """An scrypt hash of a password."""

    ln: int
    """Base-2 logarithm of scrypt's N."""
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Return the hash that a text of the form ``$scrypt$ln=14,r=8,p=1$salt$digest`` stands for.

        Raises:
            ValueError: the text is not of that form, or a check would take too much memory or time.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("a hash as soap-handler hash-password prints it")
        ln, r, p = (int(found[name]) for name in ("ln", "r", "p"))
        if not (ln and r and p) or 128 * 2**ln * r > _MEMORY_BYTES or 2**ln * r * p > _MAX_COST:
            raise ValueError("an scrypt hash of at most ln=17,r=8,p=1, and none of its numbers zero")
        return cls(ln, r, p, _decoded(found["salt"]), _decoded(found["digest"]))

    @classmethod
    def of(cls, password: str, *, ln: int = _LN) -> PasswordHash:
        """Return a new hash of a password, with a salt of its own."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(ln, _R, _P, salt, _derive(password, salt, (ln, _R, _P), _DIGEST_BYTES))

    def __str__(self) -> str:
        return f"{_PREFIX}ln={self.ln},r={self.r},p={self.p}${_encoded(self.salt)}${_encoded(self.digest)}"

    def verify(self, password: str) -> bool:
        """Whether this is the password. Slow by design: some 50 ms of one processor, outside of Python's lock.

        NULs at the end do not count: scrypt's HMAC fills up a short key with them (RFC 2104).
        """
        derived = _derive(password, self.salt, (self.ln, self.r, self.p), len(self.digest))
        return hmac.compare_digest(self.digest, derived)


def hash_password(password: str) -> str:
    """Return the text to put in the place of a push password: ``$scrypt$ln=…,r=…,p=…$salt$digest``."""
    return str(PasswordHash.of(password))


def is_hash(text: str) -> bool:
    """Whether a text in the place of a password stands for a hash; such a text is never a password itself."""
    return text.startswith(_PREFIX)


def is_foreign_hash(text: str) -> bool:
    """Whether a text is evidently a password hash of a kind that is not understood here, such as bcrypt's."""
    return _OTHER_HASH.fullmatch(text) is not None


def _derive(password: str, salt: bytes, costs: tuple[int, int, int], length: int) -> bytes:
    ln, r, p = costs
    # surrogatepass: a tolerant reader may hand on half an emoji, which must be refused and not crash
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=2**ln, r=r, p=p, maxmem=2 * _MEMORY_BYTES, dklen=length)


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("a hash as soap-handler hash-password prints it") from None
