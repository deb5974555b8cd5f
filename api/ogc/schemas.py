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


def schema(source: ItemSource, how: Negotiation) -> dict[str, Any]:
    """What an item holds (Part 5, /schema): also what may be written."""
    required = [one.name for one in source.properties if one.required]
    properties = {**_id(how), **_geometry(source, how), **_all(source, how)}
    return _document(source, how, "schema", properties) | (
        {"required": required} if required else {}
    )


def queryables(source: ItemSource, how: Negotiation) -> dict[str, Any]:
    properties = {**_geometry(source, how), **_all(source, how)}
    return _document(source, how, "queryables", properties) | {"additionalProperties": False}


def sortables(source: ItemSource, how: Negotiation) -> dict[str, Any]:
    return _document(source, how, "sortables", _all(source, how)) | {"additionalProperties": False}


def _document(
    source: ItemSource, how: Negotiation, name: str, properties: dict[str, Any]
) -> dict[str, Any]:
    return {
        "$schema": _DRAFT,
        "$id": f"{how.base}/collections/{source.layer.id}/{name}",
        "type": "object",
        "title": getattr(source.layer.title, how.language),
        "properties": properties,
    }


def _id(how: Negotiation) -> dict[str, Any]:
    title = {"vi": "Mã đối tượng", "en": "Identifier"}[how.language]
    return {"id": {"title": title, "x-ogc-role": "id", "type": "integer", "readOnly": True}}


def _geometry(source: ItemSource, how: Negotiation) -> dict[str, Any]:
    if source.geometry is None:
        return {}
    return {
        "geom": {
            "title": {"vi": "Hình học", "en": "Geometry"}[how.language],
            "x-ogc-role": "primary-geometry",
            "format": _GEOMETRIES[source.layer.geometry],
        }
    }


def _all(source: ItemSource, how: Negotiation) -> dict[str, Any]:
    return {
        served.name: _property(source, served, how, sequence)
        for sequence, served in enumerate(source.properties, start=1)
    }


def _property(
    source: ItemSource, served: ServedColumn, how: Negotiation, sequence: int
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": getattr(served.label, how.language),
        **_TYPES[served.type],
        "x-ogc-propertySeq": sequence,
    }
    if served.description is not None:
        found["description"] = getattr(served.description, how.language)
    if served.unit is not None:
        found["x-ogc-unit"] = served.unit
    if served.values:
        found["oneOf"] = [
            {"const": value, "title": getattr(words, how.language)}
            for value, words in served.values.items()
        ]
    if not served.writable:
        found["readOnly"] = True
    if source.time is served:
        found["x-ogc-role"] = "primary-instant" if source.end is None else "primary-interval-start"
    if source.end is served:
        found["x-ogc-role"] = "primary-interval-end"
    return found
