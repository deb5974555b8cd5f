"""The JSON Schemas of a layer: what an item holds, what it can be filtered and sorted by.

OGC API - Features Part 3 (queryables) and Part 5 (schemas, roles).
"""

from typing import Any

from api.ogc.negotiation import Negotiation
from layers.definition.model import FieldType, GeometryKind
from layers.items import ItemSource, ServedColumn

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[FieldType, dict[str, str]] = {
    FieldType.TEXT: {"type": "string"},
    FieldType.INTEGER: {"type": "integer"},
    FieldType.NUMBER: {"type": "number"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.DATETIME: {"type": "string", "format": "date-time"},
}
_GEOMETRIES = {
    GeometryKind.POINT: "geometry-point",
    GeometryKind.LINE: "geometry-linestring-or-multilinestring",
    GeometryKind.POLYGON: "geometry-polygon-or-multipolygon",
}


def openapi_type(kind: FieldType) -> dict[str, str]:
    return _TYPES[kind]


def schema(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    """JSON Schema of an item (Part 5, /schema), also of one to be written."""
    required = [served.name for served in source.properties if served.required]
    properties = {**_id(negotiation), **_geometry(source, negotiation), **_all(source, negotiation)}
    return _document(source, negotiation, "schema", properties) | (
        {"required": required} if required else {}
    )


def queryables(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    properties = {**_geometry(source, negotiation), **_all(source, negotiation)}
    return _document(source, negotiation, "queryables", properties) | {
        "additionalProperties": False
    }


def sortables(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    return _document(source, negotiation, "sortables", _all(source, negotiation)) | {
        "additionalProperties": False
    }


def _document(
    source: ItemSource, negotiation: Negotiation, name: str, properties: dict[str, Any]
) -> dict[str, Any]:
    return {
        "$schema": _DRAFT,
        "$id": f"{negotiation.base}/collections/{source.layer.id}/{name}",
        "type": "object",
        "title": getattr(source.layer.title, negotiation.language),
        "properties": properties,
    }


def _id(negotiation: Negotiation) -> dict[str, Any]:
    title = {"vi": "Mã đối tượng", "en": "Identifier"}[negotiation.language]
    return {"id": {"title": title, "x-ogc-role": "id", "type": "integer", "readOnly": True}}


def _geometry(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    if source.geometry is None:
        return {}
    return {
        "geom": {
            "title": {"vi": "Hình học", "en": "Geometry"}[negotiation.language],
            "x-ogc-role": "primary-geometry",
            "format": _GEOMETRIES[source.layer.geometry],
        }
    }


def _all(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    return {
        served.name: _property(source, served, negotiation, sequence)
        for sequence, served in enumerate(source.properties, start=1)
    }


def _property(
    source: ItemSource, served: ServedColumn, negotiation: Negotiation, sequence: int
) -> dict[str, Any]:
    property_schema: dict[str, Any] = {
        "title": getattr(served.label, negotiation.language),
        **_TYPES[served.type],
        "x-ogc-propertySeq": sequence,
    }
    if served.description is not None:
        property_schema["description"] = getattr(served.description, negotiation.language)
    if served.unit is not None:
        property_schema["x-ogc-unit"] = served.unit
    if served.values:
        property_schema["oneOf"] = [
            {"const": value, "title": getattr(words, negotiation.language)}
            for value, words in served.values.items()
        ]
    if not served.writable:
        property_schema["readOnly"] = True
    if source.time is served:
        property_schema["x-ogc-role"] = (
            "primary-instant" if source.end is None else "primary-interval-start"
        )
    if source.end is served:
        property_schema["x-ogc-role"] = "primary-interval-end"
    return property_schema
