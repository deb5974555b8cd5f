"""Documents of OGC API - DGGS, Part 1 (OGC 21-038r1), for the one grid that we count by: H3."""

from collections.abc import Iterable, Sequence
from typing import Any

import h3
import numpy as np
import shapely

from api.ogc.dggs_zones import Zones
from api.ogc.negotiation import Negotiation
from gis.hexes import (
    areas_km2,
    boundaries,
    cell_text,
    children_of,
    parent_of,
    resolution_of,
)
from layers.definition.model import Layer

GRID = "H3"
ZONE_LEVELS = 15  # the finest of H3
DEFAULT_DEPTH = 0
MOST_DEPTH = 5
BINARY = "application/x-binary"
GEOJSON = "application/geo+json"
JSON = "application/json"
TEXT = "text/plain"
CONFORMANCE = tuple(
    f"https://www.opengis.net/spec/ogcapi-dggs-1/1.0/conf/{name}"
    for name in (
        "core", "root-dggs", "collection-dggs", "data-retrieval", "data-custom-depths",
        "data-json", "data-geojson", "zone-query", "zone-geojson", "zone-uint64",
    )
)  # fmt: skip
_REL = "https://www.opengis.net/def/rel/ogc/1.0"
_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_WORDS = {
    "self": ("Tài liệu này", "This document"),
    "dggrs-list": ("Các lưới ô toàn cầu", "Discrete global grids"),
    "dggrs": ("Lưới ô lục giác H3", "The hexagonal grid H3"),
    "dggrs-definition": ("Định nghĩa của lưới H3", "The definition of H3"),
    "dggrs-zone-query": ("Các ô có bản ghi", "Zones that have records"),
    "dggrs-zone-info": ("Thông tin của một ô", "A zone"),
    "dggrs-zone-data": ("Số liệu của một ô", "The data of a zone"),
    "dggrs-zone-parent": ("Ô cha", "The parent zone"),
    "dggrs-zone-child": ("Ô con", "A child zone"),
    "dggrs-zone-neighbor": ("Ô láng giềng", "A neighbouring zone"),
    "dataset": ("Trang đầu của dịch vụ", "The landing page"),
    "geodata": ("Lớp dữ liệu", "The collection"),
    "next": ("Trang sau", "Next page"),
}
TITLE = ("Lưới ô lục giác phân cấp H3", "H3, the hexagonal hierarchical grid")
DESCRIPTION = (
    "Lưới ô lục giác trên mặt cầu, mỗi cấp chia bảy; bản ghi được đếm từ cấp 5 đến cấp 10.",
    "Hexagons on the sphere, each level divided by seven; records are counted from level 5 to 10.",
)
NUMBERS = {
    "count": "Records",
    "per_km2": "Records per square kilometre of the zone",
    "length_km": "Length of the lines within the zone, in kilometres",
    "covered_km2": "Area of the shapes within the zone, in square kilometres, each added",
    "share": "Share of the category among all records of the zone, 0 to 1",
    "mean": "Mean of the number that the layer names, over records that have one",
    "per_1000": "Records per 1,000 inhabitants of the zone",
    "approximate": "1: the inhabitants are spread evenly over their commune",
    "partial": "1: records that may not be shown are not counted in",
}


def link(negotiation: Negotiation, rel: str, path: str, media: str = JSON) -> dict[str, str]:
    """A link; `path` is below the landing page."""
    known = rel in ("self", "next")
    return {
        "rel": rel if known else f"{_REL}/{rel}",
        "href": f"{negotiation.base}{path}",
        "type": media,
        "title": _worded(negotiation, _WORDS[rel]),
        "hreflang": negotiation.language,
    }


def collection_links(layer: Layer, negotiation: Negotiation) -> list[dict[str, Any]]:
    """Links from a collection's document to its zones; none where it has none."""
    path = f"/collections/{layer.id}/dggs"
    return [] if layer.hexes is None else [link(negotiation, "dggrs-list", path)]


def landing_links(negotiation: Negotiation) -> list[dict[str, Any]]:
    return [link(negotiation, "dggrs-list", "/dggs")]


def dggrs_list(root: str, negotiation: Negotiation) -> dict[str, Any]:
    """The grids at `root`, the path of a collection or nothing: we have one."""
    one = {
        "id": GRID,
        "title": _worded(negotiation, TITLE),
        "links": [link(negotiation, "self", f"{root}/dggs/{GRID}"), _definition(negotiation)],
    }
    return {
        "links": [link(negotiation, "self", f"{root}/dggs"), *_origin(root, negotiation)],
        "dggrs": [one],
    }


def dggrs(root: str, finest: int, negotiation: Negotiation) -> dict[str, Any]:
    """The grid as it is offered at `root`."""
    here = f"{root}/dggs/{GRID}"
    return {
        "id": GRID,
        "title": _worded(negotiation, TITLE),
        "description": _worded(negotiation, DESCRIPTION),
        "crs": _CRS84,
        "defaultDepth": DEFAULT_DEPTH,
        "maxRefinementLevel": finest,
        "maxRelativeDepth": MOST_DEPTH,
        "links": [
            link(negotiation, "self", here),
            _definition(negotiation),
            link(negotiation, "dggrs-zone-query", f"{here}/zones"),
            *_origin(root, negotiation),
        ],
        "linkTemplates": [
            _template(negotiation, "dggrs-zone-info", f"{here}/zones/{{zoneId}}"),
            _template(negotiation, "dggrs-zone-data", f"{here}/zones/{{zoneId}}/data"),
        ],
    }


def definition(negotiation: Negotiation) -> dict[str, Any]:
    """H3 in the form of OGC 21-038r1, Annex B. It is in no register of OGC, hence its own URI."""
    return {
        "title": GRID,
        "description": _worded(negotiation, DESCRIPTION),
        "uri": definition_uri(negotiation),
        "links": [{"rel": "describedby", "href": "https://h3geo.org/docs/core-library/overview"}],
        "dggh": {
            "definition": {
                "spatialDimensions": 2,
                "temporalDimensions": 0,
                "crs": _CRS84,
                "basePolyhedron": "icosahedron",
                "refinementRatio": 7,
                "refinementStrategy": ["centredChildCell"],
                "constraints": {"cellEqualSized": False},
                "zoneTypes": ["hexagon", "pentagon"],
                "maxRefinementLevel": ZONE_LEVELS,
            }
        },
        "zirs": {
            "textZIRS": {
                "description": "The 64-bit index in 15 lower-case hexadecimal digits",
                "links": [
                    {"rel": "describedby", "href": "https://h3geo.org/docs/core-library/h3Indexing"}
                ],
            },
            "uint64ZIRS": {"description": "The 64-bit H3 index of mode 1 (cell)"},
        },
        "subZoneOrder": {"description": "By the unsigned 64-bit index, ascending"},
    }


def definition_uri(negotiation: Negotiation) -> str:
    return f"{negotiation.base}/dggs/{GRID}/definition"


def zone(root: str, cell: int, has_data: bool, negotiation: Negotiation) -> dict[str, Any]:
    """A zone of any level of H3: where it is, what is above, below and beside it."""
    here, text = f"{root}/dggs/{GRID}/zones", cell_text(cell)
    data = [link(negotiation, "dggrs-zone-data", f"{here}/{text}/data")] if has_data else []
    lat, lon = h3.cell_to_latlng(text)
    shape = boundaries([cell])[0]
    return {
        "id": text,
        "level": resolution_of(cell),
        "areaMetersSquare": round(float(areas_km2(np.array([cell]))[0]) * 1e6, 1),
        "centroid": [lon, lat],
        "bbox": list(shape.bounds),
        "geometry": shapely.geometry.mapping(shape),
        "links": [
            link(negotiation, "self", f"{here}/{text}"),
            link(negotiation, "dggrs", f"{root}/dggs/{GRID}"),
            *data,
            *(link(negotiation, rel, f"{here}/{cell_text(one)}") for rel, one in _related(cell)),
        ],
    }


def zone_list(
    root: str,
    cells: Sequence[int],
    area_km2: float | None,
    next_path: str | None,
    negotiation: Negotiation,
) -> dict[str, Any]:
    """Identifiers of zones; `area_km2` where the list is whole."""
    here = f"{root}/dggs/{GRID}"
    area = {} if area_km2 is None else {"returnedAreaMetersSquare": round(area_km2 * 1e6, 1)}
    following = [] if next_path is None else [link(negotiation, "next", next_path)]
    return {
        "zones": [cell_text(cell) for cell in cells],
        **area,
        "links": [
            link(negotiation, "dggrs", here),
            _definition(negotiation),
            *_origin(root, negotiation),
            *following,
        ],
        "linkTemplates": [
            _template(negotiation, "dggrs-zone-data", f"{here}/zones/{{zoneId}}/data")
        ],
    }


def zone_bytes(cells: Sequence[int]) -> bytes:
    """The number of zones and their indexes, each 64 bits, the lowest byte first."""
    return np.array([len(cells), *cells], dtype="<u8").tobytes()


def features(zones: Zones) -> dict[str, Any]:
    """Zones as GeoJSON, each with its measures."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": cell_text(cell),
                "geometry": shapely.geometry.mapping(shape),
                "properties": {"zoneID": cell_text(cell), "level": resolution_of(cell), **measures},
            }
            for (cell, measures), shape in zip(zones.items(), boundaries(list(zones)), strict=True)
        ],
    }


def dggs_json(
    cell: int, by_depth: dict[int, Zones], names: Sequence[str], negotiation: Negotiation
) -> dict[str, Any]:
    """DGGS-JSON: of each measure and depth the values of all sub-zones in their order, null where
    a sub-zone has no record, or so few that they are not shown.
    """
    level = resolution_of(cell)
    order = {depth: children_of(cell, level + depth).tolist() for depth in by_depth}
    return {
        "dggrs": definition_uri(negotiation),
        "zoneId": cell_text(cell),
        "depths": list(by_depth),
        "schema": {
            "type": "object",
            "properties": {name: _described(name) for name in names},
        },
        "values": {
            name: [
                {
                    "depth": depth,
                    "shape": {"count": len(order[depth]), "subZones": len(order[depth])},
                    "data": [_number(zones.get(one, {}).get(name)) for one in order[depth]],
                }
                for depth, zones in by_depth.items()
            ]
            for name in names
        },
    }


def _described(name: str) -> dict[str, str]:
    return {"type": "number", "title": NUMBERS.get(name, NUMBERS["count"])}


def _number(value: float | None) -> float | None:
    return int(value) if isinstance(value, bool) else value


def _related(cell: int) -> Iterable[tuple[str, int]]:
    level = resolution_of(cell)
    if level > 0:
        yield "dggrs-zone-parent", parent_of(cell, level - 1)
    if level < ZONE_LEVELS:
        yield from (("dggrs-zone-child", int(one)) for one in children_of(cell, level + 1))
    ring = sorted(h3.grid_disk(cell_text(cell), 1))
    yield from (("dggrs-zone-neighbor", int(one, 16)) for one in ring if int(one, 16) != cell)


def _origin(root: str, negotiation: Negotiation) -> list[dict[str, str]]:
    return [link(negotiation, "geodata", root) if root else link(negotiation, "dataset", "")]


def _definition(negotiation: Negotiation) -> dict[str, str]:
    return link(negotiation, "dggrs-definition", f"/dggs/{GRID}/definition")


def _template(negotiation: Negotiation, rel: str, path: str) -> dict[str, str]:
    made = link(negotiation, rel, path)
    return {"uriTemplate": made.pop("href"), **made}


def _worded(negotiation: Negotiation, words: tuple[str, str]) -> str:
    return words[0 if negotiation.language == "vi" else 1]
