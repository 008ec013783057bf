"""The same calls compressed, or in the parts of a multipart message."""

from __future__ import annotations

import gzip
import quopri
import zlib
from base64 import encodebytes
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from soap_handler.notifications import Kind
from tests.corpus.messages import Message, message
from tests.corpus.soap12 import in_soap_12

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Mutation = Callable[[Message], Message]


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _packed(encoding: str, *steps: Callable[[bytes], bytes]) -> Mutation:
    def change(told: Message) -> Message:
        def transform(body: bytes) -> bytes:
            for step in steps:
                body = step(body)
            return body

        return replace(told, transform=transform, content_encoding=encoding)

    return change


def _halves(body: bytes) -> bytes:
    return gzip.compress(body[:100]) + gzip.compress(body[100:])


ROOT: Final = b"Content-Type: text/xml; charset=utf-8\r\nContent-ID: <root@x>"
PICTURE: Final = b"Content-Type: image/png\r\nContent-ID: <a@x>\r\nContent-Transfer-Encoding: binary"
RELATED: Final = 'multipart/related; type="text/xml"; boundary="=_b (1)"'
_BOUNDARY: Final = b"--=_b (1)"


def parts(*contents: tuple[bytes, bytes], end: bytes = _BOUNDARY + b"--\r\n") -> bytes:
    """Return a multipart body of heads and contents."""
    return b"".join(b"%s\r\n%s\r\n\r\n%s\r\n" % (_BOUNDARY, head, content) for head, content in contents) + end


def _related(transform: Callable[[bytes], bytes], content_type: str = RELATED) -> Mutation:
    return lambda told: replace(told, transform=transform, content_type=content_type)


_PNG: Final = b"\x89PNG\r\n\r\n--=_b\r\n\0\xff"


def _mtom_12(told: Message) -> Message:
    told = in_soap_12(told)
    before = told.transform
    root = b'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\nContent-ID: <0.a@b>'
    related = (
        'multipart/related; boundary=uuid-1; start-info="application/soap+xml"; '
        'type="application/xop+xml"; start="<0.a@b>"'
    )
    return replace(
        told,
        transform=lambda body: parts((root, before(body)), (PICTURE, _PNG)).replace(_BOUNDARY, b"--uuid-1"),
        content_type=related,
    )


PACKAGES: Final[dict[str, Mutation]] = {
    "gzip": _packed("gzip", gzip.compress),
    "x-gzip": _packed("X-GZIP", gzip.compress),
    "gzip in two members": _packed("gzip", _halves),
    "gzip, padded": _packed("gzip", gzip.compress, lambda body: body + b"\0" * 512),
    "gzip twice": _packed("gzip, gzip", gzip.compress, gzip.compress),
    "gzip and identity": _packed("gzip, identity", gzip.compress),
    "gzip, plain under its label": _packed("gzip"),
    "deflate": _packed("deflate", zlib.compress),
    "deflate, raw": _packed("deflate", raw_deflate),
    "deflate, plain under its label": _packed("deflate"),
    "identity": _packed("identity"),
    "a charset for an encoding": _packed("utf-8"),
    "MTOM": _mtom_12,
    "root first": _related(lambda body: parts((ROOT, body), (PICTURE, _PNG))),
    "root last": _related(
        lambda body: b"preamble\r\n" + parts((PICTURE, _PNG), (ROOT, body)), f'{RELATED}; start="<root@x>"'
    ),
    "start leads nowhere": _related(lambda body: parts((ROOT, body)), f"{RELATED}; start=none"),
    "line feeds alone": _related(lambda body: parts((ROOT, body)).replace(b"\r\n", b"\n")),
    "no end": _related(lambda body: parts((ROOT, body), end=b"")),
    "no head": _related(lambda body: parts((b"", body))),
    "no head, no empty line": _related(lambda body: parts((b"", body)).replace(b"\r\n\r\n\r\n", b"\r\n")),
    "base64 root": _related(lambda body: parts((ROOT + b"\r\nContent-Transfer-Encoding: BASE64", encodebytes(body)))),
    "quoted-printable root": _related(
        lambda body: parts((ROOT + b"\r\ncontent-transfer-encoding: quoted-printable", quopri.encodestring(body)))
    ),
    "folded head": _related(lambda body: parts((ROOT.replace(b"; ", b";\r\n\t"), body))),
    "a part with a charset": _related(
        lambda body: parts((b"Content-Type: text/xml; charset=utf-16", body.decode().encode("utf-16")))
    ),
    "plain under the label of parts": _related(bytes),
    "parts in gzip": lambda told: replace(
        _related(lambda body: gzip.compress(parts((ROOT, body))))(told), content_encoding="gzip"
    ),
}


def packages() -> Iterator[tuple[str, Message]]:
    for case, change in PACKAGES.items():
        for kind in Kind:
            yield f"{kind}: {case}", change(message(kind, case))
