"""Tiles in the API definition (OGC 20-057, 15: OpenAPI 3.0)."""

from collections.abc import Sequence
from typing import Any

from api.ogc.openapi_parameters import query_parameter
from api.ogc.tilesets import GRID, MVT, TILEJSON
from layers.definition.model import GeometryKind
from layers.items import ItemSource
from tiles.grid import MAX_ZOOM

_FILTERS = ("filter", "filter-lang", "filter-crs", "datetime")


def tile_paths(sources: Sequence[ItemSource]) -> dict[str, Any]:
    """Operations of grids, tilesets and tiles."""
    tiled = [one for one in sources if one.layer.tiles and one.layer.geometry != GeometryKind.NONE]
    paths: dict[str, Any] = {
        "/tileMatrixSets": _operation("getTileMatrixSetsList", "Grids of tiles", ["f", "lang"]),
        f"/tileMatrixSets/{GRID}": _operation("getTileMatrixSet", "The grid", ["f", "lang"]),
        **_tileset("/tiles", "dataset.", "All collections", ["collections", "datetime"]),
    }
    for source in tiled:
        root, layer = f"/collections/{source.layer.id}/tiles", source.layer
        paths |= _tileset(root, f"collection.{layer.id}.", layer.title.en, [*_FILTERS, "fields"])
    return paths


def tile_parameters() -> dict[str, Any]:
    """The parameters that only tiles have, for `components`."""
    number = {"type": "integer", "minimum": 0}
    names = {"type": "array", "items": {"type": "string"}}
    place = {"in": "path", "required": True}
    return {
        "tileMatrix": {
            "name": "tileMatrix",
            **place,
            "description": "Zoom",
            "example": 8,
            "schema": {**number, "maximum": MAX_ZOOM},
        },
        "tileRow": {
            "name": "tileRow",
            **place,
            "description": "Row, from the north",
            "example": 111,
            "schema": number,
        },
        "tileCol": {
            "name": "tileCol",
            **place,
            "description": "Column, from the west",
            "example": 201,
            "schema": number,
        },
        "collections": query_parameter("collections", "Only these collections", names),
        "fields": query_parameter("fields", "Only these properties", names),
        "tileFormat": _format(["mvt"]),
        "tilesetFormat": _format(["json", "tilejson"]),
        "jsonFormat": _format(["json"]),
    }


def _tileset(root: str, name: str, title: str, parameters: Sequence[str]) -> dict[str, Any]:
    """The list of tilesets, a tileset, a tile. Operation ids end as the standard asks."""
    grid = f"{root}/{GRID}"
    tile = f"{grid}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    place = ["tileMatrix", "tileRow", "tileCol"]
    chosen = [one for one in parameters if one == "collections"]
    return {
        root: _operation(f"{name}vector.getTileSetsList", f"{title}: tilesets", ["f", "lang"]),
        grid: _operation(
            f"{name}vector.getTileSet",
            f"{title}: tileset",
            [*chosen, "tilesetFormat", "lang"],
        ),
        tile: _operation(
            f"{name}vector.getTile", f"{title}: tile", [*place, *parameters, "tileFormat"], MVT
        ),
    }


def _operation(
    name: str, summary: str, parameters: Sequence[str], media: str = "application/json"
) -> dict[str, Any]:
    named = ["jsonFormat" if one == "f" else one for one in parameters]
    schema = {"type": "string", "format": "binary"} if media == MVT else {"type": "object"}
    content = {media: {"schema": schema}}
    if "tilesetFormat" in named:
        content[TILEJSON] = {"schema": schema}
    problem = {"$ref": "#/components/responses/Problem"}
    operation = {
        "summary": summary,
        "operationId": name,
        "parameters": [{"$ref": f"#/components/parameters/{one}"} for one in named],
        "responses": {
            "200": {"description": summary, "content": content},
            "304": {"$ref": "#/components/responses/NotModified"},
            **dict.fromkeys(("400", "401", "404", "503"), problem),
        },
    }
    return {"get": operation}


def _format(names: Sequence[str]) -> dict[str, Any]:
    return query_parameter("f", "Format", {"type": "string", "enum": list(names)})
