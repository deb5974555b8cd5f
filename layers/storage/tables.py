"""Tables of layers: `layer.<id>`, declared by the layer file, described in docs/architecture.md.

Geometries are stored as `geometry(Point | MultiLineString | MultiPolygon, 4326)`, longitude before
latitude: a single line or polygon is stored as a multi geometry of one part. A layer without
geometry keeps the column, always null, so that every table has the same placing columns.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from layers.definition.model import FieldType, GeometryKind, Layer, LayerField


@dataclass(frozen=True, slots=True)
class SizeMeasure:
    """The measure of what lies of a layer's shapes in a unit or hex, and its unit in m or m²."""

    name: str
    unit: float


SCHEMA: Final = "layer"
SRID: Final = 4326
ON_EARTH: Final = "gis.is_on_earth(geom)"
_SHARED: Final = (GeometryKind.LINE, GeometryKind.POLYGON)
_SIZES: Final = {
    GeometryKind.LINE: SizeMeasure("length_km", 1e3),
    GeometryKind.POLYGON: SizeMeasure("covered_km2", 1e6),
}
_MAX_NAME_BYTES = 63  # PostgreSQL cuts longer names, which might then collide

COLUMN_TYPES: Final[dict[FieldType, TypeEngine[Any]]] = {
    FieldType.TEXT: Text(),
    FieldType.INTEGER: BigInteger(),
    FieldType.NUMBER: Double(),
    FieldType.BOOLEAN: Boolean(),
    FieldType.DATE: Date(),
    FieldType.DATETIME: DateTime(timezone=True),
}
GEOMETRY_TYPES: Final = {
    GeometryKind.POINT: "POINT",
    GeometryKind.LINE: "MULTILINESTRING",
    GeometryKind.POLYGON: "MULTIPOLYGON",
    GeometryKind.NONE: "GEOMETRY",
}


def table_of(layer: Layer) -> Table:
    """The table of a layer; for a view its id, geom (where it has one) and fields.

    Personal fields have no column. Names of indexes and constraints hold a dot (`reports.geom`),
    which no layer id does, so that none can take the name of another layer's table.
    """
    parts = _view_parts(layer) if layer.is_view else _table_parts(layer)
    return Table(layer.id, MetaData(schema=SCHEMA), *parts)


def has_unit_shares(layer: Layer) -> bool:
    """True where `layer.<id>_units` holds the communes of each row, with their shares."""
    return layer.placed and not layer.is_view and layer.geometry in _SHARED


def unit_shares_of(layer: Layer) -> Table:
    """The table of the communes of a layer's rows: id of the row, commune, share (0–1)."""
    return Table(
        f"{layer.id}_units",
        MetaData(schema=SCHEMA),
        Column("id", BigInteger(), primary_key=True),
        Column("commune", Text(), primary_key=True),
        Column("share", Double(), nullable=False),
    )


def size_measure(layer: Layer) -> SizeMeasure | None:
    """The measure of lines or areas; None for other layers."""
    return _SIZES.get(layer.geometry)


def has_hex_cover(layer: Layer) -> bool:
    """True where `layer.<id>_hexes` holds the hexes of each row, with their shares."""
    return layer.hexes is not None and has_unit_shares(layer)


def finest_of(layer: Layer) -> int:
    """The finest resolution at which the shapes of a layer with a hex cover are counted."""
    assert layer.hexes is not None
    return max(layer.hexes.resolutions)


def hex_cover_of(layer: Layer) -> Table:
    """The table of the hexes that hold a part of a layer's rows, at each resolution down to the
    finest of the layer file: id of the row, cell, share (0–1), size (m of a line, m² of an area).
    """
    return Table(
        f"{layer.id}_hexes",
        MetaData(schema=SCHEMA),
        Column("id", BigInteger(), primary_key=True),
        Column("cell", BigInteger(), primary_key=True),
        Column("share", Double(), nullable=False),
        Column("size", Double(), nullable=False),
    )


def measurements_of(layer: Layer) -> Table:
    """The table of the measurements of a layer with `series`: id of the station's row, quantity
    (its field), time, value (in the field's unit), quality, and the load that it came by.
    """
    return Table(
        f"{layer.id}_measurements",
        MetaData(schema=SCHEMA),
        Column("station", BigInteger(), primary_key=True),
        Column("quantity", Text(), primary_key=True),
        Column("measured_at", DateTime(timezone=True), primary_key=True),
        Column("value", Double(), nullable=False),
        Column("quality", Text(), nullable=False),
        Column("load_id", BigInteger()),
    )


def free_text_fields(layer: Layer) -> list[str]:
    """Names of the text fields without a list of values: people search in these."""
    return [
        name
        for name, field in layer.public_fields.items()
        if field.type is FieldType.TEXT and field.values is None
    ]


def _view_parts(layer: Layer) -> list[Any]:
    geometry = [] if layer.geometry is GeometryKind.NONE else [_geometry(layer)]
    columns = [Column("id", BigInteger(), primary_key=True), *geometry]
    return [*columns, *(_column(*item) for item in layer.public_fields.items())]


def _table_parts(layer: Layer) -> list[Any]:
    name = layer.id
    return [
        Column("id", BigInteger(), Identity()),
        _geometry(layer),
        Column("h3", BigInteger()),
        Column("commune", Text()),
        Column("unit_then", Text()),
        Column("place_method", Text()),
        Column("place_confidence", Double()),
        Column("place_precision_m", Double()),
        Column("default_point", Boolean(), nullable=False, server_default=text("false")),
        Column("valid_at", DateTime(timezone=True)),
        Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        Column("source", Text(), nullable=False),
        Column("source_key", Text(), nullable=False),
        Column("provenance", JSONB(), nullable=False, server_default=text("'{}'::jsonb")),
        *(_column(*item) for item in layer.public_fields.items()),
        PrimaryKeyConstraint("id", name=f"{name}.id"),
        UniqueConstraint("source", "source_key", name=f"{name}.source_key"),
        CheckConstraint(ON_EARTH, name=f"{name}.on_earth"),
        Index(f"{name}.geom", "geom", postgresql_using="gist"),
        *(Index(f"{name}.{column}", column) for column in ("h3", "commune", "valid_at")),
        *(_search_index(name, column) for column in free_text_fields(layer)),
    ]


def _geometry(layer: Layer) -> Column[Any]:
    kind = GEOMETRY_TYPES[layer.geometry]
    return Column("geom", Geometry(kind, SRID, spatial_index=False))


def _column(name: str, field: LayerField) -> Column[Any]:
    return Column(name, COLUMN_TYPES[field.type])


def _search_index(layer_id: str, column: str) -> Index:
    """Trigram index of the search key: finds a part of a name written without diacritics."""
    key = func.gis.search_key(Column(column, Text())).label("key")
    return Index(
        _index_name(layer_id, column),
        key,
        postgresql_using="gin",
        postgresql_ops={"key": "gin_trgm_ops"},
    )


def _index_name(layer_id: str, column: str) -> str:
    name = f"{layer_id}.{column}.search"
    if len(name) <= _MAX_NAME_BYTES:
        return name
    return f"{name[:50]}.{hashlib.sha256(name.encode()).hexdigest()[:12]}"
