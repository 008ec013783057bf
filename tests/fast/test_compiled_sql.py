"""Compiled SQL: the same values and results as SQLAlchemy's, and what is left where a statement fails."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, bindparam, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from soap_handler.fast.compiled_sql import COMPILED, pad_to_power_of_two
from soap_handler.fast.value_rows import ROWS_PER_STATEMENT
from soap_handler.journal.databases.engine import open_engine
from soap_handler.journal.execute import PLAIN, Instant, execute, query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from soap_handler.journal.execute import Executor

METADATA = MetaData()
TABLE = Table(
    "thing",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary),
    Column("at", Instant),
)
MOMENT = datetime(2026, 3, 2, 8, 0, 0, 7, tzinfo=UTC)
INSERT = insert(TABLE).inline()
RENAME = update(TABLE).where(TABLE.c.number == bindparam("_number")).values(name=bindparam("_name"), at=None)
NUMBER_IN = TABLE.c.number.in_(bindparam("numbers", expanding=True))
SHIFT = update(TABLE).where(NUMBER_IN).values(number=TABLE.c.number + 100, at=bindparam("_at", type_=Instant()))
SEARCH = (
    select(TABLE.c.at, TABLE.c.number, TABLE.c.content)
    .where(NUMBER_IN, TABLE.c.at <= bindparam("_now", type_=Instant()))
    .order_by(TABLE.c.number)
    .limit(3)
)

both_ways = pytest.mark.parametrize("executor", [PLAIN, COMPILED], ids=["plain", "fast"])


def row(number: int, name: str | None = "") -> dict[str, Any]:
    moment = MOMENT + timedelta(microseconds=number)
    return {"number": number, "name": f"{number}" if name == "" else name, "content": bytes([number]), "at": moment}


@contextmanager
def opened(folder: Path, executor: Executor = COMPILED) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{folder / 'things.db'}", executor)
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(select(TABLE.c.number).order_by(TABLE.c.number)).scalars())


@both_ways
@pytest.mark.parametrize("count", [1, ROWS_PER_STATEMENT, 3 * ROWS_PER_STATEMENT + 1])
def test_any_number_of_rows_is_inserted(tmp_path: Path, executor: Executor, count: int) -> None:
    """Each row has its own values, of the types of the columns."""
    with opened(tmp_path, executor) as connection:
        rows = [row(number) for number in range(count)]
        assert execute(connection, INSERT, rows) == count
        assert [dict(each) for each in connection.execute(TABLE.select().order_by(TABLE.c.number)).mappings()] == rows


@both_ways
def test_a_change_is_made_for_each_row_of_values(tmp_path: Path, executor: Executor) -> None:
    """Constants of the statement stay; the answer is how many rows changed."""
    with opened(tmp_path, executor) as connection:
        execute(connection, INSERT, [row(number) for number in range(5)])
        assert execute(connection, RENAME, [{"_number": 1, "_name": "one"}, {"_number": 9, "_name": "none"}]) == 1
        assert execute(connection, RENAME, []) == 0
        found = {each.number: (each.name, each.at) for each in connection.execute(TABLE.select())}
        assert found[1] == ("one", None)
        assert found[2] == ("2", row(2)["at"])


@both_ways
@pytest.mark.parametrize("wanted", [[1], [1, 2, 3], [0, 1, 2, 3, 4], []])
def test_a_list_of_numbers_is_one_parameter(tmp_path: Path, executor: Executor, wanted: list[int]) -> None:
    """Of any length, in a query and in a change; results have the types of their columns."""
    with opened(tmp_path, executor) as connection:
        execute(connection, INSERT, [row(number) for number in range(5)])
        values = {"numbers": wanted, "_now": row(3)["at"]}
        expected = [(row(each)["at"], each, bytes([each])) for each in wanted if each <= 3][:3]
        assert [tuple(each) for each in query(connection, SEARCH, values)] == expected
        assert execute(connection, SHIFT, [{"numbers": wanted, "_at": MOMENT}]) == len(wanted)
        shifted = connection.scalar(select(func.count()).where(TABLE.c.number >= 100, TABLE.c.at == MOMENT))
        assert shifted == len(wanted)


@both_ways
def test_a_query_needs_no_values(tmp_path: Path, executor: Executor) -> None:
    """With constants of its own or without any."""
    with opened(tmp_path, executor) as connection:
        execute(connection, INSERT, [row(1), row(2)])
        assert [tuple(each) for each in query(connection, select(TABLE.c.at, TABLE.c.name), {})] == [
            (row(1)["at"], "1"),
            (row(2)["at"], "2"),
        ]
        assert [tuple(each) for each in query(connection, select(TABLE.c.number).where(TABLE.c.name == "2"), {})] == [
            (2,)
        ]


def test_a_row_that_breaks_a_constraint_leaves_nothing_of_the_transaction(tmp_path: Path) -> None:
    """SQLite rolls back all of it at once, so that it need not be able to roll back one statement."""
    with opened(tmp_path) as connection:
        connection.begin()
        execute(connection, INSERT, [row(1)])
        with pytest.raises(DBAPIError) as caught:
            execute(connection, INSERT, [row(2), row(3, None)])
        driver: Any = connection.connection.driver_connection

        assert not driver.in_transaction
        assert "447700" not in str(caught.value)
        connection.rollback()
        assert numbers(connection) == []


@pytest.mark.parametrize("count", range(10))
def test_lists_have_few_lengths(count: int) -> None:
    """The last number is repeated, which changes no result of an IN."""
    padded = pad_to_power_of_two(range(count))
    assert len(padded) in {0, 1, 2, 4, 8, 16}
    assert set(padded) == set(range(count))
