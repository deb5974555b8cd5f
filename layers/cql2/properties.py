"""The properties of a layer that filters may name."""

from layers.cql2.operands import OperandKind, Property
from layers.definition.model import FieldType
from layers.items import ItemSource, ServedColumn
from layers.storage.tables import free_text_fields

KINDS: dict[FieldType, OperandKind] = {
    FieldType.TEXT: OperandKind.TEXT,
    FieldType.INTEGER: OperandKind.NUMBER,
    FieldType.NUMBER: OperandKind.NUMBER,
    FieldType.BOOLEAN: OperandKind.BOOLEAN,
    FieldType.DATE: OperandKind.DATE,
    FieldType.DATETIME: OperandKind.TIMESTAMP,
}


def properties_of(source: ItemSource) -> dict[str, Property]:
    """By name; the geometry is `geom`, as /queryables says, and `geometry`, as GeoJSON says."""
    searched = [] if source.layer.is_view else free_text_fields(source.layer)
    properties = {served.name: _property(served, searched) for served in source.properties}
    if source.geometry is not None:
        geometry = Property(OperandKind.GEOMETRY, source.geometry)
        properties = {"geom": geometry, "geometry": geometry} | properties
    properties.setdefault("id", Property(OperandKind.NUMBER, source.id, is_integer=True))
    return properties


def _property(served: ServedColumn, searched: list[str]) -> Property:
    return Property(
        KINDS[served.type],
        served.sql,
        is_integer=served.type is FieldType.INTEGER,
        has_search_index=served.name in searched,
    )
