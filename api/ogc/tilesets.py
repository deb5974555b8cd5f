"""Documents of OGC API Tiles (OGC 20-057) and of its tile matrix set (OGC 17-083r4)."""

import math
from collections.abc import Sequence
from typing import Any

from api.ogc.negotiation import Negotiation
from api.ogc.schemas import openapi_type
from gis.values import BBox
from layers.definition.model import FieldType, GeometryKind, Layer
from layers.items import CRS84, ItemSource, ServedColumn
from tiles.grid import HALF_WORLD_M, MAX_ZOOM, Tile
from tiles.limits import limits_of
from tiles.mvt import shown_fields

GRID = "WebMercatorQuad"
GRID_URI = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{GRID}"
MVT = "application/vnd.mapbox-vector-tile"
TILEJSON = "application/vnd.mapbox.tile+json"
CONFORMANCE = tuple(
    f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
    for name in (
        "core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets",
        "collections-selection", "datetime", "mvt", "oas30",
    )
)  # fmt: skip
Box = tuple[float, float, float, float]  # west, south, east, north in degrees
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_CRS = "http://www.opengis.net/def/crs/EPSG/0/3857"
_GRID_PX = 256  # by which the standard counts scales; clients draw our tiles at 512
_STANDARD_PIXEL_M = 0.00028  # OGC 17-083r4, 6.1
_DIMENSION = {GeometryKind.POINT: 0, GeometryKind.LINE: 1, GeometryKind.POLYGON: 2}
_IN_TILES = {
    FieldType.INTEGER: "Number",
    FieldType.NUMBER: "Number",
    FieldType.BOOLEAN: "Boolean",
}
_WORDS = {
    "tilesets": ("Ô bản đồ véc-tơ", "Vector tiles"),
    "tileset": ("Bộ ô bản đồ véc-tơ", "The set of vector tiles"),
    "self": ("Tài liệu này", "This document"),
    "item": ("Các ô bản đồ", "Tiles"),
    "tilejson": ("Bộ ô bản đồ dạng TileJSON", "The set of tiles as TileJSON"),
    "scheme": ("Lưới ô WebMercatorQuad", "The grid WebMercatorQuad"),
    "schemes": ("Các lưới ô bản đồ", "Grids of tiles"),
    "style": ("Kiểu trình bày MapLibre", "The MapLibre style"),
    "legend": ("Chú giải", "The legend"),
    "data": ("Lớp dữ liệu", "The collection"),
    "pmtiles": ("Toàn bộ ô trong một tệp PMTiles", "All tiles in one PMTiles file"),
}


def collection_links(layer: Layer, negotiation: Negotiation) -> list[dict[str, Any]]:
    """Links from a collection's document to its tilesets; none where it has none."""
    if layer.tiles is None:
        return []
    address = f"{negotiation.base}/collections/{layer.id}/tiles"
    return [_link(negotiation, f"{_REL}/tilesets-vector", address, "application/json", "tilesets")]


def landing_links(negotiation: Negotiation) -> list[dict[str, Any]]:
    """Links from the landing page to tilesets and tile matrix sets."""
    schemes = f"{negotiation.base}/tileMatrixSets"
    return [
        _link(
            negotiation,
            f"{_REL}/tilesets-vector",
            f"{negotiation.base}/tiles",
            "application/json",
            "tilesets",
        ),
        _link(negotiation, f"{_REL}/tiling-schemes", schemes, "application/json", "schemes"),
    ]


def tilesets(
    title: str, root: str, sources: Sequence[ItemSource], box: Box | None, negotiation: Negotiation
) -> dict[str, Any]:
    """The list of tilesets at `root`: we have one grid."""
    here = f"{negotiation.base}{root}"
    link = _link(negotiation, "self", f"{here}/{GRID}?f=json", "application/json", "tileset")
    tileset = {**_summary(title, root, sources, box, negotiation), "tileMatrixSetId": GRID}
    tileset["links"] = [link, *tileset["links"]]
    return {
        "links": [_link(negotiation, "self", f"{here}?f=json", "application/json", "self")],
        "tilesets": [tileset],
    }


def holds(sources: Sequence[ItemSource], box: Box | None, tile: Tile) -> bool:
    """True where a tile lies within the limits of the tileset of some layers; `box` in degrees."""
    least, most = _zooms(sources)
    return least <= tile.z <= most and (box is None or limits_of(BBox(*box), tile.z).hold(tile))


def collection_tileset(
    source: ItemSource, box: Box | None, negotiation: Negotiation
) -> dict[str, Any]:
    """The metadata of one collection's tiles; `box` is that of its data, in degrees."""
    layer = source.layer
    document = _tileset(
        getattr(layer.title, negotiation.language),
        f"/collections/{layer.id}/tiles",
        [source],
        box,
        negotiation,
    )
    here = f"{negotiation.base}/collections/{layer.id}"
    document["links"] += [
        _link(negotiation, f"{_REL}/geodata", here, "application/json", "data"),
        _link(
            negotiation,
            "stylesheet",
            f"{negotiation.root}/styles/{layer.id}.json",
            "application/vnd.mapbox.style+json",
            "style",
        ),
        _link(
            negotiation,
            f"{_REL}/legend",
            f"{negotiation.root}/legends/{layer.id}.json?lang={negotiation.language}",
            "application/json",
            "legend",
        ),
    ]
    return document


def dataset_tileset(
    title: str,
    sources: Sequence[ItemSource],
    box: Box | None,
    negotiation: Negotiation,
) -> dict[str, Any]:
    """The metadata of tiles that hold several collections."""
    return _tileset(title, "/tiles", sources, box, negotiation)


def tilejson(
    title: str, sources: Sequence[ItemSource], template: str, box: Box | None
) -> dict[str, Any]:
    """TileJSON 3.0; `template` has {z}, {x} and {y}."""
    attributions = sorted({source.layer.attribution or "" for source in sources} - {""})
    least, most = _zooms(sources)
    return {
        "tilejson": "3.0.0",
        "name": title,
        "attribution": "; ".join(attributions),
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": least,
        "maxzoom": most,
        "vector_layers": [each for source in sources for each in _vector_layers(source)],
        **({} if box is None else {"bounds": list(box), "center": _center(box, least, most)}),
    }


def _vector_layers(source: ItemSource) -> list[dict[str, Any]]:
    """The source layers of a layer's tiles, with what describes each of their fields."""
    layer, options = source.layer, source.layer.tiles
    assert options is not None
    zooms = {"minzoom": options.min_zoom, "maxzoom": options.max_zoom}
    shown = {
        name
        for z in range(options.min_zoom, options.max_zoom + 1)
        for name in shown_fields(layer, z)
    }
    fields = {
        served.name: _described(served) for served in source.properties if served.name in shown
    }
    vector_layer = {"id": layer.id, "description": layer.description.vi, **zooms}
    cluster_count = {"count": "Number. Số bản ghi mà một điểm gộp thay cho"}
    if layer.geometry is not GeometryKind.POLYGON or layer.style.text is None:
        return [{**vector_layer, "fields": fields | cluster_count}]
    text = {layer.style.text: fields[layer.style.text]}
    labels = {"id": f"{layer.id}_labels", "description": "Điểm đặt nhãn", **zooms, "fields": text}
    return [{**vector_layer, "fields": fields | cluster_count}, labels]


def _described(served: ServedColumn) -> str:
    """The type of a field in a tile, what it is, and its unit."""
    kind = _IN_TILES.get(served.type, "String")
    unit = f" ({served.unit})" if served.unit else ""
    more = f". {served.description.vi}" if served.description else ""
    return f"{kind}. {served.label.vi}{unit}{more}"


def _center(box: Box, least: int, most: int) -> list[float]:
    """The middle of a box, and the last zoom at which one tile is as wide as the box."""
    fits = math.floor(math.log2(360 / max(box[2] - box[0], 360 / 2**MAX_ZOOM)))
    return [*_middle(box), min(max(fits, least), most)]


def tile_matrix_sets(negotiation: Negotiation) -> dict[str, Any]:
    """The list of the grids, of which there is one."""
    scheme = _link(
        negotiation,
        "self",
        f"{negotiation.base}/tileMatrixSets/{GRID}",
        "application/json",
        "scheme",
    )
    return {"tileMatrixSets": [{"id": GRID, "title": GRID, "uri": GRID_URI, "links": [scheme]}]}


def tile_matrix_set() -> dict[str, Any]:
    """The grid itself, as OGC has registered it."""
    return {
        "id": GRID,
        "title": "Google Maps Compatible for the World",
        "uri": GRID_URI,
        "crs": _CRS,
        "orderedAxes": ["E", "N"],
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": [_matrix(z) for z in range(MAX_ZOOM + 1)],
    }


def _matrix(z: int) -> dict[str, Any]:
    cell_m = 2 * HALF_WORLD_M / (_GRID_PX << z)
    return {
        "id": str(z),
        "scaleDenominator": cell_m / _STANDARD_PIXEL_M,
        "cellSize": cell_m,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [-HALF_WORLD_M, HALF_WORLD_M],
        "tileWidth": _GRID_PX,
        "tileHeight": _GRID_PX,
        "matrixWidth": 1 << z,
        "matrixHeight": 1 << z,
    }


def _tileset(
    title: str,
    root: str,
    sources: Sequence[ItemSource],
    box: Box | None,
    negotiation: Negotiation,
) -> dict[str, Any]:
    here = f"{negotiation.base}{root}/{GRID}"
    document = _summary(title, root, sources, box, negotiation)
    document["layers"] = [_layer(source, negotiation) for source in sources]
    document["links"] = [
        _link(negotiation, "self", f"{here}?f=json", "application/json", "self"),
        *document["links"],
        _link(negotiation, "alternate", f"{here}?f=tilejson", TILEJSON, "tilejson"),
    ]
    return document


def _summary(
    title: str, root: str, sources: Sequence[ItemSource], box: Box | None, negotiation: Negotiation
) -> dict[str, Any]:
    """Metadata of a tileset for its own document and for the list, without the link to itself."""
    template = f"{negotiation.base}{root}/{GRID}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?f=mvt"
    least, most = _zooms(sources)
    summary: dict[str, Any] = {
        "title": title,
        "dataType": "vector",
        "crs": _CRS,
        "tileMatrixSetURI": GRID_URI,
        "mediaTypes": [MVT],
        "links": [
            {**_link(negotiation, "item", template, MVT, "item"), "templated": True},
            _scheme(negotiation),
        ],
    }
    attributions = sorted({one.layer.attribution or "" for one in sources} - {""})
    if attributions:
        summary["attribution"] = "; ".join(attributions)
    if box is not None:
        summary["boundingBox"] = {
            "lowerLeft": list(box[:2]),
            "upperRight": list(box[2:]),
            "crs": CRS84.uri,
        }
        center = _center(box, least, most)
        summary["centerPoint"] = {
            "coordinates": center[:2],
            "crs": CRS84.uri,
            "tileMatrix": str(center[2]),
        }
        limits = [_limits(BBox(*box), z) for z in range(least, most + 1)]
        summary["tileMatrixSetLimits"] = limits
    return summary


def _layer(source: ItemSource, negotiation: Negotiation) -> dict[str, Any]:
    layer = source.layer
    options = layer.tiles
    assert options is not None
    fields = [served for served in source.properties if served.name in layer.public_fields]
    properties = {
        served.name: {
            "title": getattr(served.label, negotiation.language),
            **openapi_type(served.type),
            **({"enum": list(served.values)} if served.values else {}),
        }
        for served in fields
    }
    return {
        "id": layer.id,
        "title": getattr(layer.title, negotiation.language),
        "description": getattr(layer.description, negotiation.language),
        "dataType": "vector",
        "geometryDimension": _DIMENSION[layer.geometry],
        "minTileMatrix": str(options.min_zoom),
        "maxTileMatrix": str(options.max_zoom),
        "propertiesSchema": {"type": "object", "properties": properties},
    }


def _limits(box: BBox, z: int) -> dict[str, Any]:
    limits = limits_of(box, z)
    return {
        "tileMatrix": str(z),
        "minTileRow": limits.first_y,
        "maxTileRow": limits.last_y,
        "minTileCol": limits.first_x,
        "maxTileCol": limits.last_x,
    }


def _zooms(sources: Sequence[ItemSource]) -> tuple[int, int]:
    options = [source.layer.tiles for source in sources if source.layer.tiles is not None]
    least = min((each.min_zoom for each in options), default=0)
    return least, max((each.max_zoom for each in options), default=least)


def _middle(box: Box) -> list[float]:
    west, south, east, north = box
    return [(west + east) / 2, (south + north) / 2]


def _scheme(negotiation: Negotiation) -> dict[str, Any]:
    address = f"{negotiation.base}/tileMatrixSets/{GRID}"
    return _link(negotiation, f"{_REL}/tiling-scheme", address, "application/json", "scheme")


def _link(negotiation: Negotiation, rel: str, href: str, media: str, words: str) -> dict[str, Any]:
    title = _WORDS[words][0 if negotiation.language == "vi" else 1]
    return {
        "href": href,
        "rel": rel,
        "type": media,
        "title": title,
        "hreflang": negotiation.language,
    }
