"""Request smuggling: refuses headers that two servers may read in two ways.

waitress refuses most of it: bare line ends, white space before a colon, lengths that are no numbers or differ. This is
the rest, and a limit on the number of lines. How a request is read is not known here.
"""

from __future__ import annotations

from typing import Final

_SINGLE: Final = (b"content-length", b"transfer-encoding", b"host")


def fault_in(block: bytes, max_headers: int) -> str | None:
    """Return what is wrong with a request's first line and headers, or ``None``.

    Rules: RFC 9112, sections 5.2 (folded lines), 6.1 (a length beside chunks, chunks before HTTP/1.1, other encodings)
    and 6.3 (two lengths); RFC 9110, section 7.2 (one host).
    """
    first, _, rest = block.partition(b"\r\n")
    lines = [line for line in rest.split(b"\r\n") if line]
    if len(lines) > max_headers:
        return "Too many headers"
    if any(line.startswith((b" ", b"\t")) for line in lines):
        return "A header is folded"
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _SINGLE and name in found:
            return "A header is repeated that must not be"
        found[name] = value.strip(b" \t")
    return _fault_in_framing(first, found)


def _fault_in_framing(first: bytes, headers: dict[bytes, bytes]) -> str | None:
    encoding = headers.get(b"transfer-encoding")
    if encoding is None:
        return None
    if b"content-length" in headers:
        return "Content-Length and Transfer-Encoding are both given"
    if not first.rstrip().endswith(b" HTTP/1.1"):
        return "Transfer-Encoding is given before HTTP/1.1"
    return None if encoding.lower() == b"chunked" else "Transfer-Encoding is not chunked"
