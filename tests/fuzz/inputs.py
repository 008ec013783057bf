"""Inputs for the fuzzer: entries of the corpus, cut, joined, filled with tokens and recoded."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.fuzz.corpus import CONTENT_TYPES, CORPUS, GOOD, TOKENS

_LONGEST: Final = 200_000
_position: Final = st.floats(0, 1)
_piece: Final = st.sampled_from(TOKENS) | st.binary(max_size=8)
_cut: Final = st.tuples(
    _position, st.just(0) | st.integers(0, 30), st.lists(_piece, max_size=3).map(b"".join), st.integers(1, 3)
)
_graft: Final = st.tuples(_position, _position, st.sampled_from(CORPUS))
_codec: Final = st.sampled_from(["", "", "", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-8-sig"])


def _damaged(
    start: bytes, cuts: list[tuple[float, int, bytes, int]], graft: tuple[float, float, bytes] | None
) -> bytes:
    for where, length, filling, times in cuts:
        at = int(where * len(start))
        start = start[:at] + filling * times**4 + start[at + length :]
    if graft is not None:
        here, there, other = graft
        start = start[: int(here * len(start))] + other[int(there * len(other)) :]
    return start[:_LONGEST]


def _recoded(body: bytes, codec: str) -> bytes:
    return body.decode("utf-8", "replace").encode(codec, "replace") if codec else body


BODIES: Final = st.builds(
    _recoded,
    st.builds(
        _damaged,
        st.sampled_from(GOOD) | st.sampled_from(CORPUS),
        st.lists(_cut, min_size=1, max_size=4),
        st.none() | st.none() | _graft,
    ),
    _codec,
)
TYPES: Final = st.sampled_from(CONTENT_TYPES) | st.text(st.characters(codec="latin-1"), max_size=30)
