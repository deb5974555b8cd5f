"""Results of processes as layers: their ids, and the table that their items are read from.

The rows of all results are in one table with properties as jsonb: a result is made and forgotten
without a change to the schema, and everything that reads a layer reads it, since it is a FROM item
with the columns that its layer declares.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Text, cast, column, literal_column, select, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import FromClause
from sqlalchemy.types import TypeEngine

_RESULT = re.compile(r"result_([0-9a-f]{32})")


def result_id(run: UUID) -> str:
    """The id of the collection that an execution made."""
    return f"result_{run.hex}"


def run_of(layer_id: str) -> UUID | None:
    """The execution whose result a layer is; None for a layer that has a file."""
    match = _RESULT.fullmatch(layer_id)
    return UUID(match[1]) if match else None


def rows_of(run: UUID, layer_id: str, types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """The rows of a result with `id`, `geom` and columns of these types, named as its layer."""
    rows = table(
        "process_row",
        *map(column, ("run", "id", "geom")),
        column("properties", JSONB()),
        schema="gis",
    )
    values = [
        cast(
            rows.c.properties.op("->>", return_type=Text())(literal_column(f"'{name}'")), kind
        ).label(name)
        for name, kind in types.items()
    ]
    # Safe as literals: a UUID, and names of fields (layers.definition.model.Identifier).
    mine = rows.c.run == literal_column(f"'{run}'::uuid")
    return (
        select(cast(rows.c.id, BigInteger()).label("id"), rows.c.geom, *values)
        .where(mine)
        .subquery(layer_id)
    )
