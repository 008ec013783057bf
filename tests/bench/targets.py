"""What is to be reached, and whether it was. Ratios are to the plain server of the same run. No measuring here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.bench.load import Api

PLAIN: Final = "plain spyne + waitress"
CONSTANT: Final = "waitress, a constant"
FLASK: Final = "Flask + waitress + SQLite"
ONE: Final = "soap_handler, 1 process"
TWO: Final = "soap_handler, 2 processes"
TWO_POSTGRESQL: Final = "soap_handler, 2 processes, PostgreSQL"
BESIDE: Final = {CONSTANT: Api.SOAP, PLAIN: Api.SOAP, FLASK: Api.FORM}
"""What is measured beside, with the version of the API that it takes."""
YARDSTICKS: Final = {Api.SOAP: PLAIN, Api.FORM: FLASK}
OURS: Final = (ONE, TWO, TWO_POSTGRESQL)

RECEIVE: Final[dict[tuple[str, int], float]] = {
    (ONE, 1): 1.5,
    (ONE, 8): 7,
    (ONE, 32): 11,
    (TWO_POSTGRESQL, 8): 4,
    (TWO_POSTGRESQL, 32): 8,
}
"""Times as many pushes a second as the plain server, by server and connections, whatever the journal holds.

Two processes on SQLite are measured without a target: they take turns to write.
"""
OF_SOAP: Final = {Api.SOAP_NO_HEADER: 0.9, Api.FORM: 0.9, Api.XML: 0.8, Api.REFUSED: 1.0}
"""Of the pushes a second by SOAP in the same run, in one process. A refusal may not be dearer than what is taken."""
OF_SOAP_AT: Final = {Api.REFUSED: (8,)}
"""Connections at which that is judged, where not at 8 and 32."""
JUDGED: Final = (ONE, TWO_POSTGRESQL)
CPU: Final = {8: 200.0, 32: 150.0}  # microseconds for each request, in one process
P99: Final = 25.0  # milliseconds, at 32 connections on a quiet machine
DISPATCHED: Final = 0.1  # of what arrives in a burst is dispatched meanwhile
WHOLE_WAY: Final = {8: 2.0, 32: 3.0}  # times as many messages a second as the plain server only takes in
HISTORY: Final = 1.1  # the time with a million rows done, as a multiple of that with none
MEMORY: Final = 80.0  # megabytes of one process after 100,000 messages
FLAT: Final = 1.0  # megabytes: as much as an allocator wanders, and no growth
SINK: Final = 0.5  # of what a bare loop of the peer's own library brings to the peer
BURST_WITH_SINK: Final = 0.9  # of the pushes a second with handlers that do nothing
START: Final = 1.0  # seconds from the command to listening
CONSOLE_PAGE: Final = 300.0  # milliseconds of any page of the console, with a million rows
BESIDE_CONSOLE: Final = 0.95  # of the pushes a second without one


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target for one figure of a row, and whether the figure reached it."""

    figure: str
    wanted: str
    bound: float
    met: bool


def at_least(row: dict[str, Any], figure: str, bound: float) -> Verdict:
    """Hold a figure of a row to a lower bound."""
    return Verdict(figure, f"≥ {bound:g}", bound, row[figure] >= bound)


def at_most(row: dict[str, Any], figure: str, bound: float) -> Verdict:
    """Hold a figure of a row to an upper bound."""
    return Verdict(figure, f"≤ {bound:g}", bound, row[figure] <= bound)


def below(row: dict[str, Any], figure: str, bound: float, what: str) -> Verdict:
    """Hold a figure of a row to a bound that was measured too: ``what`` says where."""
    return Verdict(figure, f"< {bound:.3g} ({what})", bound, row[figure] < bound)


def with_verdicts(row: dict[str, Any], verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the row with its targets, as plain values."""
    return row | {"targets": [asdict(verdict) for verdict in verdicts]}


def of_soap(row: dict[str, Any]) -> list[Verdict]:
    """Judge the row of a burst in another version of the API, where SOAP was measured beside it."""
    api = row["api"]
    judged = row["server"] == ONE and row["of_soap"] is not None and row["connections"] in OF_SOAP_AT.get(api, (8, 32))
    return [at_least(row, "of_soap", OF_SOAP[api])] if judged and api in OF_SOAP else []


def receive(row: dict[str, Any], plain: dict[str, Any]) -> list[Verdict]:
    """Judge the row of a burst of SOAP; ``plain`` is the plain server's beside it."""
    server, connections = row["server"], row["connections"]
    verdicts = []
    if (server, connections) in RECEIVE:
        verdicts.append(at_least(row, "ratio", RECEIVE[server, connections]))
    if server == ONE and connections in CPU:
        verdicts.append(at_most(row, "cpu_us", CPU[connections]))
    if server in JUDGED and connections == 32:
        verdicts.append(at_most(row, "p99_ms", P99))
        verdicts.append(below(row, "p99_ms", plain["p50_ms"] / 2, "half of plain's p50"))
    if server in JUDGED:
        verdicts.append(at_least(row, "dispatched", DISPATCHED))
    return verdicts


def whole_way(row: dict[str, Any]) -> list[Verdict]:
    """Judge the row of the whole way. What a burst leaves over is worked off at the same rate, or faster."""
    return [
        at_least(row, "ratio", WHOLE_WAY[row["connections"]]),
        Verdict("worked_off", "≥ per s", row["rate"], row["worked_off"] >= row["rate"]),
    ]


def growth(rows: list[dict[str, Any]]) -> list[Verdict]:
    """Judge the memory after the last message: how much it is, and that it did not grow in the last half."""
    half = rows[len(rows) // 2]
    last = rows[-1] | {"growth_mb": rows[-1]["memory_mb"] - half["memory_mb"]}
    return [at_most(last, "memory_mb", MEMORY), at_most(last, "growth_mb", FLAT)]
