"""A visit: a request that is no push, with what the pages need to know of it. HTTP around it is in ``application``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from wsgiref.types import WSGIEnvironment

    from soap_handler.faces.base import Answer

READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to a page."""

    environ: WSGIEnvironment
    path: str
    """The path without the prefix, as the service spells it; empty for the root."""
    base: str
    """The address of the service, to which paths are added."""
    prefix: str
    """The path prefix of the service, which may be before the path or not."""
    send: Callable[[WSGIEnvironment], Answer]
    """Answers another request, as if it had come over the network."""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def query(self) -> Mapping[str, str]:
        """The query string, by names in lower case."""
        pairs = parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return {name.lower(): value for name, value in pairs}

    def link_to(self, path: str) -> str:
        """Return a relative link from this page to a path of the service.

        It holds whatever prefix a proxy adds or removes, and however many slashes are at the end of the address.
        """
        raw = str(self.environ.get("PATH_INFO", ""))
        is_prefixed = f"{raw}/".lower().startswith(f"{self.prefix}/".lower())
        up = raw.count("/") - 1 - (self.prefix.count("/") if is_prefixed else 0)
        if up >= 0:
            return "../" * up + path.lstrip("/")
        return quote(raw.rpartition("/")[2], encoding="latin-1") + path
