"""Zones in the API definition (OGC 21-038r1)."""

from collections.abc import Sequence
from typing import Any

from api.ogc.dggs_documents import BINARY, GEOJSON, GRID, JSON, MOST_DEPTH, TEXT
from api.ogc.openapi_parameters import query_parameter
from gis.hexes import COARSEST, FINEST
from layers.items import ItemSource

_EXAMPLE = "87415974cffffff"  # in Lào Cai
_ZONES = (
    "zoneLevel", "compactZones", "parentZone", "bbox", "bbox-crs", "subset", "subsetCrs",
    "datetime", "filter", "filter-lang", "filter-crs", "zoneLimit", "offset",
)  # fmt: skip


def zone_paths(sources: Sequence[ItemSource]) -> dict[str, Any]:
    """Operations of the grid and its zones, at the root and of each collection with hexes."""
    paths = {f"/dggs/{GRID}/definition": _get("getDGGRSDefinition", "The definition of H3")}
    paths |= _zones("", "dataset.", "All collections", [])
    for source in sources:
        layer = source.layer
        if layer.hexes is not None:
            category = [] if layer.hexes.category is None else ["category"]
            root, name = f"/collections/{layer.id}", f"collection.{layer.id}."
            paths |= _zones(root, name, layer.title.en, category)
    return paths


def _zones(root: str, name: str, title: str, category: list[str]) -> dict[str, Any]:
    """Operation ids end as the standard asks."""
    grid = f"{root}/dggs/{GRID}"
    zone = f"{grid}/zones/{{zoneId}}"
    zones, data = [JSON, GEOJSON, BINARY], [JSON, GEOJSON, TEXT]
    return {
        f"{root}/dggs": _get(f"{name}getDGGRSList", f"{title}: grids"),
        grid: _get(f"{name}getDGGRS", f"{title}: H3"),
        f"{grid}/zones": _get(
            f"{name}getDGGRSZones", f"{title}: zones", [*_ZONES, *category, "zonesFormat"], zones
        ),
        zone: _get(f"{name}getDGGRSZoneInfo", f"{title}: a zone", ["zoneId"]),
        f"{zone}/data": _get(
            f"{name}getDGGRSZoneData",
            f"{title}: data of a zone",
            ["zoneId", "zoneDepth", "datetime", *category, "zoneDataFormat"],
            data,
        ),
    }


def zone_parameters() -> dict[str, Any]:
    """The parameters that only zones have, for `components`."""
    level = {"type": "integer", "minimum": COARSEST, "maximum": FINEST}
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    return {
        "zoneId": {
            "name": "zoneId",
            "in": "path",
            "required": True,
            "description": "H3 index in 15 hexadecimal digits",
            "example": _EXAMPLE,
            "schema": text,
        },
        "zoneLevel": query_parameter("zone-level", "Level of the zones", level),
        "compactZones": query_parameter(
            "compact-zones", "Zones that fill their parent are replaced by it", {"type": "boolean"}
        ),
        "parentZone": query_parameter("parent-zone", "Only this zone and those within it", text),
        "subset": query_parameter("subset", "As in Lat(21:23),Lon(103:105)", texts),
        "subsetCrs": query_parameter("subset-crs", "CRS of subset", text),
        "zoneLimit": query_parameter(
            "limit", "Most zones of a page", {"type": "integer", "minimum": 1}
        ),
        "offset": query_parameter(
            "offset", "Zones to pass over", {"type": "integer", "minimum": 0}
        ),
        "zoneDepth": query_parameter(
            "zone-depth", f"A depth from 0 to {MOST_DEPTH}, a range 0-2 or a list 0,2", text
        ),
        "category": query_parameter("category", "Only records of this category", text),
        "zonesFormat": _format("json", "geojson", "binary"),
        "zoneDataFormat": _format("json", "geojson", "txt"),
    }


def _get(
    name: str,
    summary: str,
    parameters: Sequence[str] = (),
    medias: Sequence[str] = (JSON,),
) -> dict[str, Any]:
    form = [] if parameters and "Format" in parameters[-1] else ["jsonFormat"]
    problem = {"$ref": "#/components/responses/Problem"}
    operation = {
        "summary": summary,
        "operationId": name,
        "parameters": [
            {"$ref": f"#/components/parameters/{one}"} for one in (*parameters, *form, "lang")
        ],
        "responses": {
            "200": {"description": summary, "content": {media: _schema(media) for media in medias}},
            "304": {"$ref": "#/components/responses/NotModified"},
            **dict.fromkeys(("400", "401", "404", "503"), problem),
        },
    }
    return {"get": operation}


def _schema(media: str) -> dict[str, Any]:
    if media == BINARY:
        return {"schema": {"type": "string", "format": "binary"}}
    return {"schema": {"type": "string" if media == TEXT else "object"}}


def _format(*names: str) -> dict[str, Any]:
    return query_parameter("f", "Format", {"type": "string", "enum": list(names)})
