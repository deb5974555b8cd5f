"""Placed records: rows of a layer's table, with how they were placed."""

from typing import Any

from sqlalchemy import Connection, literal, select

from layers.definition.model import Layer
from layers.storage.tables import table_of


def placed_rows(
    connection: Connection, layer: Layer, *, source: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Rows of a layer by id, with source, key, commune, method and confidence of their place."""
    table = table_of(layer)
    statement = select(
        table.c.id,
        literal(layer.id).label("layer"),
        table.c.source,
        table.c.source_key.label("key"),
        literal("placed").label("state"),
        table.c.commune,
        table.c.place_method.label("method"),
        table.c.place_confidence.label("confidence"),
    )
    if source is not None:
        statement = statement.where(table.c.source == source)
    rows = connection.execute(statement.order_by(table.c.id).limit(limit))
    return [dict(row._mapping) for row in rows]
