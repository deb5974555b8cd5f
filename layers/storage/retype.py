"""Change of a column's type: allowed when every value comes back from the new type unchanged."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    cast,
    column,
    func,
    select,
    table,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import UserDefinedType

from layers.storage.tables import SCHEMA

# A day becomes an instant, and an instant a day, only by a zone: that of the whole country.
HOME_ZONE = "Asia/Ho_Chi_Minh"
_DAY, _INSTANT = "date", "timestamp with time zone"


class _NamedType(UserDefinedType[Any]):
    """A type by the name that PostgreSQL gives it."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Retyping:
    """A column of `layer.<layer_id>` and its two types, as PostgreSQL writes them."""

    layer_id: str
    column: str
    old: str
    new: str

    def statement(self) -> str:
        value = _cast(column(self.column), self.old, self.new).compile(
            dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
        return (
            f'ALTER TABLE {SCHEMA}."{self.layer_id}" ALTER COLUMN "{self.column}" '
            f"TYPE {self.new} USING {value}"
        )


def find_loss(connection: Connection, retyping: Retyping) -> str | None:
    """Why a change of type would lose a value; None where every value comes back unchanged."""
    value: Column[Any] = Column(retyping.column, _NamedType(retyping.old))
    rows = table(retyping.layer_id, Column("id", BigInteger()), value, schema=SCHEMA)
    there = _cast(value, retyping.old, retyping.new)
    back = _cast(there, retyping.new, retyping.old)
    statement = select(rows.c.id).where(back.is_distinct_from(value)).limit(1)
    connection.exec_driver_sql(f'LOCK TABLE {SCHEMA}."{retyping.layer_id}"')
    try:
        with connection.begin_nested():
            row = connection.scalar(statement)
    except DBAPIError as error:
        if _is_refused_cast(error):
            return "a value it holds has no such form"
        raise
    return None if row is None else f"the value of row {row} would not be the same"


def _is_refused_cast(error: DBAPIError) -> bool:
    """True where a value (SQLSTATE class 22) or the pair of types (42846) admits no cast."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return state.startswith("22") or state == "42846"


def _cast(value: ColumnElement[Any], old: str, new: str) -> ColumnElement[Any]:
    if (old, new) == (_DAY, _INSTANT):
        return func.timezone(HOME_ZONE, cast(value, DateTime()))
    if (old, new) == (_INSTANT, _DAY):
        return cast(func.timezone(HOME_ZONE, value), Date())
    return cast(value, _NamedType(new))
