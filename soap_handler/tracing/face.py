"""A face with spans: each of its notifications carries the context of its push into the journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from soap_handler.faces.base import Face

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from soap_handler.faces.base import Answer, Exchange, ReadMany, Request
    from soap_handler.tracing.spans import Spans


class TracedFace(Face):
    """Another face, whose pushes have spans. A request that is refused has none: it is no notification."""

    def __init__(self, face: Face, spans: Spans) -> None:
        self._face = face
        self._spans = spans
        self.title, self.api, self.paths, self.media_types = face.title, face.api, face.paths, face.media_types
        self.read_many = face.read_many and self._reading(face.read_many)

    def prepare(self, request: Request) -> Exchange:
        """Do everything up to the commit, and begin the spans."""
        began = time.time_ns()
        return self._traced(self._face.prepare(request), request, began)

    def _reading(self, read_many: ReadMany) -> ReadMany:
        def read(requests: Sequence[Request]) -> list[Exchange | None]:
            began = time.time_ns()
            return [
                None if exchange is None else self._traced(exchange, request, began)
                for exchange, request in zip(read_many(requests), requests, strict=True)
            ]

        return read

    def _traced(self, exchange: Exchange, request: Request, began: int) -> Exchange:
        if exchange.entry is None:
            return exchange
        return exchange._replace(entry=self._spans.push(exchange.entry, request, self.api, began))

    def not_stored(self, error: BaseException) -> Answer:
        """Return the answer of the face."""
        return self._face.not_stored(error)

    def refused(self, text: str, content_type: str = "", *, forbidden: bool = False) -> Answer:
        """Return the answer of the face."""
        return self._face.refused(text, content_type, forbidden=forbidden)

    def failed(self, content_type: str = "") -> Answer:
        """Return the answer of the face."""
        return self._face.failed(content_type)

    def describe(self, query: Collection[str], address: str) -> Answer | None:
        """Return the description of the face."""
        return self._face.describe(query, address)
