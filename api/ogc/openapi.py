"""The API definition: whole in itself, so that clients need not fetch parts from other hosts."""

from collections.abc import Sequence
from typing import Any

from api.ogc.measurements import AGGREGATES, INTERVALS, MEASUREMENT_FORMATS
from api.ogc.negotiation import LANGUAGES, Negotiation
from api.ogc.openapi_dggs import zone_parameters, zone_paths
from api.ogc.openapi_parameters import query_parameter
from api.ogc.openapi_processes import job_parameter, process_paths
from api.ogc.openapi_tiles import tile_parameters, tile_paths
from api.ogc.parameters import DEFAULT_LIMIT
from api.ogc.parameters import LANGUAGES as FILTERS
from api.ogc.pygeoapi_core import DESCRIPTION, TITLE
from api.ogc.schemas import openapi_type
from layers.definition.model import Layer
from layers.items import SUPPORTED, ItemSource, ServedColumn
from layers.items.formats import FORMATS


def openapi(sources: Sequence[ItemSource], negotiation: Negotiation, most: int) -> dict[str, Any]:
    """OpenAPI 3.0 of the layers that the caller may read; `most` rows a page.

    QGIS reads its page size from `components.parameters.limit` and nowhere else.
    """
    paths = _document_paths()
    for source in sources:
        paths |= _collection_paths(source)
    paths |= tile_paths(sources) | zone_paths(sources) | process_paths(negotiation.language)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": TITLE[negotiation.language],
            "description": DESCRIPTION[negotiation.language],
            "version": "1.0.0",
        },
        "servers": [{"url": negotiation.base}],
        "paths": paths,
        "components": {
            "parameters": _parameters(most)
            | tile_parameters()
            | zone_parameters()
            | job_parameter(),
            "responses": _responses(),
            "schemas": _SCHEMAS,
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
        "security": [{}, {"key": []}],
    }


def _document_paths() -> dict[str, Any]:
    summaries = {
        "/": "Landing page",
        "/conformance": "Conformance",
        "/functions": "Functions of filters",
        "/openapi": "This document",
        "/collections": "Collections",
    }
    return {path: {"get": _get(path, summary, ())} for path, summary in summaries.items()}


def _collection_paths(source: ItemSource) -> dict[str, Any]:
    root = f"/collections/{source.layer.id}"
    title = source.layer.title.en
    paths = {root: {"get": _get(root, title, ())}}
    for name in ("schema", "queryables", "sortables"):
        paths[f"{root}/{name}"] = {"get": _get(f"{root}/{name}", f"{title}: {name}", ())}
    shared = ["limit", "bbox", "bbox-crs", "crs", "datetime", "sortby", "cursor"]
    shared += ["properties", "skipGeometry", "filter", "filter-lang", "filter-crs"]
    items = _get(f"{root}/items", f"{title}: items", shared, form="itemsFormat")
    items["parameters"] += [_property_parameter(served) for served in source.properties]
    item = _get(f"{root}/items/item", f"{title}: one item", ["itemId", "crs"])
    many, single = f"{root}/items", f"{root}/items/{{itemId}}"
    operations = {**paths, many: {"get": items}, single: {"get": item}}
    if source.layer.series is not None:
        operations[f"{root}/measurements"] = {"get": _measurements(root, source.layer)}
    if not source.layer.is_view and source.layer.access.write != "nobody":
        operations[many]["post"] = _write(source, "post", "add an item")
        operations[single]["put"] = _write(source, "put", "replace an item")
        operations[single]["patch"] = _write(source, "patch", "change an item")
        operations[single]["delete"] = _write(source, "delete", "remove an item")
    return operations


def _measurements(root: str, layer: Layer) -> dict[str, Any]:
    """Measurements of stations, and their values of hours and days."""
    assert layer.series is not None
    operation = _get(
        f"{root}/measurements",
        f"{layer.title.en}: measurements",
        ["datetime", "limit", "cursor"],
        form="measurementsFormat",
    )
    quantities = {"type": "string", "enum": list(layer.series.quantities)}
    for name, words, schema in (
        ("station", "Keys of stations", {"type": "array", "items": {"type": "string"}}),
        (
            "item",
            "Ids of their items",
            {"type": "array", "items": {"type": "integer"}},
        ),
        ("quantity", "Quantities; unset: all", {"type": "array", "items": quantities}),
        ("interval", "Values of hours or days; they need datetime", {"enum": list(INTERVALS)}),
        ("aggregate", "What they are; unset: as the layer has it", {"enum": list(AGGREGATES)}),
    ):
        operation["parameters"].append(query_parameter(name, words, {"type": "string", **schema}))
    return operation


def _write(source: ItemSource, method: str, summary: str) -> dict[str, Any]:
    """An operation that changes items (Features Part 4)."""
    parameters = [] if method == "post" else ["itemId", "ifMatch"]
    parameters += [] if method == "delete" else ["contentCrs"]
    refused = ("400", "401", "403", "404", "412", "413", "415", "503")
    done = "201" if method == "post" else "204"
    problem = {"$ref": "#/components/responses/Problem"}
    operation: dict[str, Any] = {
        "summary": f"{source.layer.title.en}: {summary}",
        "operationId": f"{method}_{source.layer.id}_item",
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
        "responses": {done: {"description": "Done"}, **dict.fromkeys(refused, problem)},
        "security": [{"key": []}],
    }
    if method != "delete":
        media = "application/merge-patch+json" if method == "patch" else "application/geo+json"
        schema = _feature(source, whole=method != "patch")
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return operation


def _feature(source: ItemSource, *, whole: bool) -> dict[str, Any]:
    properties = {
        served.name: {**openapi_type(served.type), "nullable": not served.required}
        | (
            {"enum": [*served.values, *([] if served.required else [None])]}
            if served.values
            else {}
        )
        for served in source.properties
        if served.writable
    }
    geometry = {"type": "object", "nullable": True, "description": "GeoJSON, in Content-Crs"}
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "geometry": geometry,
            "properties": {"type": "object", "properties": properties},
        },
        **({"required": ["type", "geometry", "properties"]} if whole else {}),
    }


def _get(path: str, summary: str, parameters: Sequence[str], form: str = "f") -> dict[str, Any]:
    names = [*parameters, form, "lang"]
    return {
        "summary": summary,
        "operationId": "get" + path.replace("/", "_"),
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names],
        "responses": {
            "200": {"$ref": "#/components/responses/Document"},
            "304": {"$ref": "#/components/responses/NotModified"},
            "400": {"$ref": "#/components/responses/Problem"},
            "401": {"$ref": "#/components/responses/Problem"},
            "404": {"$ref": "#/components/responses/Problem"},
            "503": {"$ref": "#/components/responses/Problem"},
        },
    }


def _property_parameter(served: ServedColumn) -> dict[str, Any]:
    schema: dict[str, Any] = dict(openapi_type(served.type))
    if served.values:
        schema["enum"] = list(served.values)
    return query_parameter(served.name, served.label.en, schema)


def _parameters(most: int) -> dict[str, Any]:
    crs = {"type": "string", "format": "uri", "enum": [crs.uri for crs in SUPPORTED]}
    text = {"type": "string"}
    names = {"type": "array", "items": {"type": "string"}}
    limit = {"type": "integer", "minimum": 1, "maximum": most}
    bbox = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    return {
        "f": query_parameter("f", "Format", {"type": "string", "enum": ["json", "html"]}),
        "itemsFormat": query_parameter(
            "f", "Format", {"type": "string", "enum": ["json", "html", *FORMATS]}
        ),
        "measurementsFormat": query_parameter(
            "f", "Format", {"type": "string", "enum": list(MEASUREMENT_FORMATS)}
        ),
        "lang": query_parameter("lang", "Language", {"type": "string", "enum": list(LANGUAGES)}),
        "limit": query_parameter(
            "limit", "Most items of a page", {**limit, "default": min(DEFAULT_LIMIT, most)}
        ),
        "bbox": query_parameter("bbox", "West, south, east, north", bbox),
        "bbox-crs": query_parameter("bbox-crs", "CRS of bbox", crs),
        "crs": query_parameter("crs", "CRS of the answer", crs),
        "datetime": query_parameter("datetime", "Instant, day or interval", text),
        "sortby": query_parameter("sortby", "Properties to sort by, - descends", names),
        "cursor": query_parameter(
            "cursor", "Where the page starts: from the links next and prev", text
        ),
        "properties": query_parameter("properties", "Only these properties", names),
        "skipGeometry": query_parameter(
            "skipGeometry", "Leave out geometries", {"type": "boolean"}
        ),
        "filter": query_parameter("filter", "A filter in CQL2", text),
        "filter-lang": query_parameter(
            "filter-lang",
            "Language of the filter",
            {"type": "string", "enum": list(FILTERS), "default": FILTERS[0]},
        ),
        "filter-crs": query_parameter("filter-crs", "CRS of the coordinates in the filter", crs),
        "ifMatch": _header("If-Match", "The ETag of the item as the client knows it", text),
        "contentCrs": _header("Content-Crs", "CRS of the coordinates sent", text),
        "itemId": {
            "name": "itemId",
            "in": "path",
            "required": True,
            "description": "Identifier",
            "example": "1",
            "schema": text,
        },
    }


def _header(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": words, "required": False, "schema": schema}


def _responses() -> dict[str, Any]:
    def body(media: str, name: str) -> dict[str, Any]:
        return {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    medias = (
        "application/json",
        "application/geo+json",
        "application/schema+json",
        "application/vnd.oai.openapi+json;version=3.0",
    )
    text = {"schema": {"type": "string"}}
    files = (each.media_type for each in FORMATS.values())
    documents: dict[str, Any] = dict.fromkeys(("text/html", *files), text)
    for media in medias:
        documents |= body(media, "Document")
    return {
        "Document": {"description": "The document", "content": documents},
        "NotModified": {"description": "The client has it already"},
        "Problem": {
            "description": "What was wrong and what would be right",
            "content": body("application/problem+json", "Problem"),
        },
    }


_SCHEMAS = {
    "Document": {"type": "object"},
    "Problem": {
        "type": "object",
        "required": ["code", "description", "title", "status", "detail"],
        "properties": {
            "code": {"type": "string"},
            "description": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    },
}
