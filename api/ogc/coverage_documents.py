"""Documents of the root of coverages and EDR: landing page, collections, schema, API definition."""

from collections.abc import Sequence
from typing import Any

from api.ogc.coverage_json import instant
from api.ogc.openapi_parameters import query_parameter
from gis.rasters.raster import RasterQuantity
from layers.definition.raster import RasterLayer
from layers.items import SUPPORTED
from layers.rasters import RasterSource

type Json = dict[str, Any]

QUERIES = ("position", "area", "cube", "trajectory")
FORMATS_OF_QUERY = dict.fromkeys(QUERIES, ("CoverageJSON", "GeoJSON"))
_EDR = "http://www.opengis.net/spec/ogcapi-edr-1"
_COVERAGES = "http://www.opengis.net/spec/ogcapi-coverages-1/1.0/conf"
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    *(
        f"{_EDR}/{version}/conf/{part}"
        for version in ("1.0", "1.1")
        for part in ("core", "collections", "json", "geojson", "covjson", "queries")
    ),
    f"{_EDR}/1.0/conf/oas30",
    f"{_EDR}/1.1/conf/oas30",
    *(f"{_COVERAGES}/{part}" for part in ("core", "subsetting", "scaling", "crs", "geotiff",
                                          "coveragejson")),
)  # fmt: skip
_TRS = (
    'TIMECRS["DateTime",TDATUM["Gregorian Calendar"],CS[TemporalDateTime,1],'
    'AXIS["Time (T)",unspecified]]'
)
_WKT = (
    'GEOGCRS["WGS 84 (CRS84)",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,'
    '298.257223563]],CS[ellipsoidal,2],AXIS["geodetic longitude (Lon)",east],'
    'AXIS["geodetic latitude (Lat)",north],ANGLEUNIT["degree",0.0174532925199433]]'
)
_SIMULATED = "Dữ liệu mô phỏng / simulated. "
_COVERAGE_REL = "http://www.opengis.net/def/rel/ogc/1.0/coverage"
_SCHEMA_REL = "http://www.opengis.net/def/rel/ogc/1.0/schema"
_OPENAPI = "application/vnd.oai.openapi+json;version=3.0"


def landing_document(root: str) -> Json:
    return {
        "title": "Dữ liệu dạng ô lưới của tỉnh / Rasters of the province",
        "description": "OGC API Coverages và EDR: độ cao, mưa, phân vùng / heights, rain, zoning",
        "links": [
            _link(f"{root}/", "self", "This document"),
            _link(f"{root}/openapi", "service-desc", "The API definition", _OPENAPI),
            _link(f"{root}/conformance", "conformance", "Conformance classes"),
            _link(f"{root}/collections", "data", "The collections"),
        ],
    }


def collection_document(source: RasterSource, root: str) -> Json:
    layer, stack = source.layer, source.require_stack()
    own = f"{root}/collections/{layer.id}"
    extent: Json = {"spatial": {"bbox": [stack.box.as_list()], "crs": _WKT}}
    if stack.interval is not None:
        span = stack.interval
        extent["temporal"] = {
            "interval": [[instant(span.start), instant(span.end)]],
            "values": [instant(raster.start) for raster in stack.rasters],
            "trs": _TRS,
        }
    return {
        "id": layer.id,
        "title": layer.title.vi,
        "description": _SIMULATED * stack.is_simulated + layer.description.vi,
        "keywords": [layer.id, layer.title.en],
        "links": [
            _link(own, "self", layer.title.en),
            _link(f"{own}/coverage?f=tif", _COVERAGE_REL, "GeoTIFF", "image/tiff"),
            _link(f"{own}/coverage?f=covjson", _COVERAGE_REL, "CoverageJSON",
                  "application/prs.coverage+json"),
            _link(f"{own}/schema", _SCHEMA_REL, "Schema", "application/schema+json"),
            *(_link(f"{own}/{query}", "data", query) for query in QUERIES),
        ],
        "extent": extent,
        "crs": [*dict.fromkeys(["CRS84", *(crs.uri for crs in SUPPORTED)])],
        "output_formats": ["CoverageJSON", "GeoJSON"],
        "data_queries": {query: _data_query(f"{own}/{query}", query) for query in QUERIES},
        "parameter_names": {layer.id: edr_parameter(layer)},
    }  # fmt: skip


def edr_parameter(layer: RasterLayer) -> Json:
    """The parameter of a layer as EDR describes it: labels are texts there."""
    observed: Json = {"id": f"urn:gis:raster:{layer.id}", "label": layer.title.vi}
    described: Json = {
        "type": "Parameter",
        "id": layer.id,
        "label": layer.title.vi,
        "description": layer.description.vi,
        "data-type": "float",
        "observedProperty": observed,
    }
    if layer.quantity is RasterQuantity.CLASS:
        described["data-type"] = "integer"
        observed["categories"] = [
            {"id": str(each.value), "label": each.label.vi} for each in layer.style.classes
        ]
    else:
        symbol = {"value": layer.unit, "type": "http://www.opengis.net/def/uom/UCUM/"}
        described["unit"] = {"label": layer.unit, "symbol": symbol}
    return described


def schema_document(layer: RasterLayer, root: str) -> Json:
    """The type of a pixel, as JSON Schema."""
    pixel: Json = {
        "title": layer.title.vi,
        "type": "integer" if layer.quantity is RasterQuantity.CLASS else "number",
        "x-ogc-propertySeq": 1,
    }
    if layer.quantity is RasterQuantity.CLASS:
        pixel["oneOf"] = [
            {"const": each.value, "title": each.label.vi} for each in layer.style.classes
        ]
    else:
        pixel["x-ogc-unit"] = layer.unit
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{root}/collections/{layer.id}/schema",
        "title": layer.title.vi,
        "type": "object",
        "properties": {layer.id: pixel},
        "additionalProperties": False,
    }


def openapi_document(layers: Sequence[RasterLayer], root: str) -> Json:
    paths: Json = {
        path: _operation(f"get{number}", path, [])
        for number, path in enumerate(("/", "/conformance", "/openapi", "/collections"), 1)
    }
    for layer in layers:
        own = f"/collections/{layer.id}"
        paths[own] = _operation(f"describe_{layer.id}", layer.title.en, [])
        paths[f"{own}/schema"] = _operation(f"schema_{layer.id}", layer.title.en, [])
        paths[f"{own}/coverage"] = _operation(
            f"coverage_{layer.id}", f"{layer.title.en}: coverage",
            ["bbox", "bboxCrs", "subset", "subsetCrs", "crs", "datetime", "scaleFactor",
             "scaleSize", "width", "height", "properties", "coverageFormat"],
        )  # fmt: skip
        for query in QUERIES:
            where = "cubeBbox" if query == "cube" else f"{query}Coords"
            paths[f"{own}/{query}"] = _operation(
                f"{query}_{layer.id}",
                f"{layer.title.en}: {query}",
                [where, "crs", "datetime", "parameterName", "queryFormat"],
            )
    return {
        "openapi": "3.0.3",
        "info": {"title": "Rasters", "version": "1.0"},
        "servers": [{"url": root}],
        "paths": paths,
        "components": {
            "parameters": _parameters(),
            "responses": {
                "Answer": {"description": "The answer", "content": {
                    media: {"schema": {}} for media in (
                        "application/json", "application/prs.coverage+json",
                        "application/geo+json", "image/tiff", "application/schema+json")}},
                "NotModified": {"description": "The client has it already"},
                "Problem": {"description": "What was wrong and what would be right", "content": {
                    "application/problem+json": {"schema": {"type": "object"}}}},
            },
        },
    }  # fmt: skip


def _parameters() -> Json:
    text = {"type": "string"}
    bbox = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    whole = {"type": "integer", "minimum": 1}
    coords = {
        "position": "POINT(104.1 22.3)",
        "area": "POLYGON((104 22,104.2 22,104.1 22.2,104 22))",
        "trajectory": "LINESTRING(104 22,104.2 22.3)",
    }
    return {
        "bbox": query_parameter("bbox", "West, south, east, north", bbox),
        "cubeBbox": {**query_parameter("bbox", "West, south, east, north", bbox), "required": True},
        **{
            f"{query}Coords": {
                **query_parameter("coords", f"WKT, such as {example}", text),
                "required": True,
                "example": example,
            }
            for query, example in coords.items()
        },
        "bboxCrs": query_parameter("bbox-crs", "CRS of bbox", text),
        "subset": query_parameter("subset", "As in Lon(103:105),Lat(21:23)", text),
        "subsetCrs": query_parameter("subset-crs", "CRS of subset", text),
        "crs": query_parameter("crs", "CRS of coords, or of the answer", text),
        "datetime": query_parameter("datetime", "Instant, day or interval", text),
        "scaleFactor": query_parameter("scale-factor", "2: pixels twice as large", {
            "type": "number", "minimum": 0.0001}),
        "scaleSize": query_parameter("scale-size", "As in Lon(200),Lat(100)", text),
        "width": query_parameter("width", "Columns of the answer", whole),
        "height": query_parameter("height", "Rows of the answer", whole),
        "properties": query_parameter("properties", "The id of the collection", text),
        "parameterName": query_parameter("parameter-name", "The id of the collection", text),
        "coverageFormat": query_parameter("f", "Format", {
            "type": "string", "enum": ["tif", "covjson", "geojson"]}),
        "queryFormat": query_parameter("f", "Format", {
            "type": "string", "enum": ["CoverageJSON", "GeoJSON"]}),
    }  # fmt: skip


def _operation(name: str, summary: str, parameters: Sequence[str]) -> Json:
    problem = {"$ref": "#/components/responses/Problem"}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": [{"$ref": f"#/components/parameters/{one}"} for one in parameters],
            "responses": {
                "200": {"$ref": "#/components/responses/Answer"},
                "304": {"$ref": "#/components/responses/NotModified"},
                **dict.fromkeys(("400", "401", "404", "503"), problem),
            },
        }
    }


def _data_query(href: str, query: str) -> Json:
    variables: Json = {
        "title": query,
        "query_type": query,
        "output_formats": list(FORMATS_OF_QUERY[query]),
        "default_output_format": FORMATS_OF_QUERY[query][0],
        "crs_details": [{"crs": "CRS84", "wkt": _WKT}],
    }
    if query == "cube":
        variables["height_units"] = ["m"]
    return {"link": {"href": href, "rel": "data", "type": "application/json", "title": query,
                     "templated": False, "variables": variables}}  # fmt: skip


def _link(href: str, rel: str, title: str, media: str = "application/json") -> Json:
    return {"href": href, "rel": rel, "type": media, "title": title}
