"""OGC API Coverages and EDR of raster layers, under a root of their own, /coverages.

Its collections are rasters alone, and all have the same queries: a client of EDR that reads the
list finds nothing that it cannot ask. Of pygeoapi nothing is used here: its coverages stretch axes,
forget CRS and nodata, and answer with pixels that were not asked for.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from api.conditional import conditional_json, etag_of, not_modified
from api.dependencies import Caller
from api.ogc.coverage_documents import (
    CONFORMANCE,
    FORMATS_OF_QUERY,
    collection_document,
    landing_document,
    openapi_document,
    schema_document,
)
from api.ogc.coverage_json import (
    COVERAGE_JSON,
    cube_coverage,
    cube_features,
    series_coverages,
    series_features,
)
from api.ogc.coverage_parameters import box_asked, named_crs, scale_asked, shape_asked
from api.ogc.negotiation import only_known
from api.ogc.parameters import box_of
from api.routes.rasters import RasterService, UsedRasters
from gis.access import Principal
from gis.errors import BadInput
from gis.rasters.raster import RasterStack, StoredRaster
from layers.items import CRS84, SUPPORTED, Crs
from layers.rasters import RasterSource

if TYPE_CHECKING:
    from gis.rasters.queries import RasterCube

router = APIRouter(prefix="/coverages", include_in_schema=False)

MOST_PIXELS = 4_000_000  # of a GeoTIFF: 16 MB of float32
MOST_VALUES = 250_000  # of a text
GEOTIFF = "image/tiff; application=geotiff"
GEOJSON = "application/geo+json"
_NAMES = {
    "coveragejson": "covjson", "covjson": "covjson", "json": "covjson", "geojson": "geojson",
    "tif": "tif", "tiff": "tif", "geotiff": "tif",
}  # fmt: skip
_ACCEPTED = {
    COVERAGE_JSON: "covjson", "application/vnd.cov+json": "covjson", "application/json": "covjson",
    GEOJSON: "geojson", "image/tiff": "tif",
}  # fmt: skip


@router.get("")
@router.get("/")
def landing(request: Request) -> Response:
    only_known(request)
    _json_alone(request)
    return conditional_json(request, landing_document(_root(request)))


@router.get("/conformance")
def conformance(request: Request) -> Response:
    only_known(request)
    _json_alone(request)
    return conditional_json(request, {"conformsTo": list(CONFORMANCE)})


@router.get("/openapi")
@router.get("/api")
def definition(request: Request, service: UsedRasters, caller: Caller) -> Response:
    only_known(request)
    sources = _with_rasters(service, caller)
    document = openapi_document([source.layer for source in sources], _root(request))
    answer = conditional_json(request, document)
    if answer.status_code == 200:
        answer.headers["Content-Type"] = "application/vnd.oai.openapi+json;version=3.0"
    return answer


@router.get("/collections")
def collections(request: Request, service: UsedRasters, caller: Caller) -> Response:
    only_known(request)
    _json_alone(request)
    root = _root(request)
    document = {
        "links": [_link(f"{root}/collections", "self")],
        "collections": [collection_document(one, root) for one in _with_rasters(service, caller)],
    }
    return conditional_json(request, document)


@router.get("/collections/{layer_id}")
def collection(layer_id: str, request: Request, service: UsedRasters, caller: Caller) -> Response:
    only_known(request)
    _json_alone(request)
    source = _source(service, layer_id, caller)
    return conditional_json(request, collection_document(source, _root(request)))


@router.get("/collections/{layer_id}/schema")
def schema(layer_id: str, request: Request, service: UsedRasters, caller: Caller) -> Response:
    only_known(request)
    _json_alone(request)
    source = _source(service, layer_id, caller)
    document = schema_document(source.layer, _root(request))
    answer = conditional_json(request, document)
    if answer.status_code == 200:
        answer.headers["Content-Type"] = "application/schema+json"
    return answer


_COVERAGE = (
    "bbox", "bbox-crs", "subset", "subset-crs", "crs", "datetime", "scale-factor", "scale-size",
    "width", "height", "properties",
)  # fmt: skip
_EDR = ("coords", "crs", "datetime", "parameter-name")


@router.get("/collections/{layer_id}/coverage")
async def coverage(
    layer_id: str, request: Request, service: UsedRasters, caller: Caller
) -> Response:
    """The pixels of a box, in any CRS and size offered, as GeoTIFF or CoverageJSON."""
    only_known(request, _COVERAGE)
    return await service.run(_coverage, request, service, layer_id, caller)


@router.get("/collections/{layer_id}/position")
async def position(
    layer_id: str, request: Request, service: UsedRasters, caller: Caller
) -> Response:
    """Values at points, of all steps that are asked for."""
    only_known(request, _EDR)
    return await service.run(_position, request, service, layer_id, caller)


@router.get("/collections/{layer_id}/trajectory")
async def trajectory(
    layer_id: str, request: Request, service: UsedRasters, caller: Caller
) -> Response:
    """Values along a line, one for each pixel that it runs through."""
    only_known(request, _EDR)
    return await service.run(_trajectory, request, service, layer_id, caller)


@router.get("/collections/{layer_id}/area")
async def area(layer_id: str, request: Request, service: UsedRasters, caller: Caller) -> Response:
    """The pixels whose centre lies in a polygon."""
    only_known(request, _EDR)
    return await service.run(_area, request, service, layer_id, caller)


@router.get("/collections/{layer_id}/cube")
async def cube(layer_id: str, request: Request, service: UsedRasters, caller: Caller) -> Response:
    """The pixels that a box touches."""
    only_known(request, ("bbox", "crs", "datetime", "parameter-name"))
    return await service.run(_cube, request, service, layer_id, caller)


def _coverage(
    request: Request, service: RasterService, layer_id: str, caller: Principal
) -> Response:
    from gis.rasters.queries import RasterQuery, read_cube

    source, given = _source(service, layer_id, caller), request.query_params
    form = _form(request, ("tif", "covjson", "geojson"), first="tif")
    _require_parameter(source, given.get("properties"), "properties")
    box, time = box_asked(given)
    if time is not None and "datetime" in given:
        raise BadInput("give either datetime or subset of time")
    steps = _steps(
        source, given.get("datetime", time and time.replace('"', "").replace("Z:", "Z/"))
    )
    if form == "tif" and "datetime" not in given and time is None:
        steps = steps[-1:]
    target = _target(given.get("crs"), source, form)
    scale, size = scale_asked(given)
    known = _known(request, source)
    if known is not None:
        return known
    query = RasterQuery(
        bounds=None if box is None else (box.west, box.south, box.east, box.north),
        crs=_code(box.crs if box else CRS84),
        target=None if target is None else _code(target),
        scale=scale,
        size=size,
    )
    most = MOST_PIXELS if form == "tif" else MOST_VALUES
    found = read_cube(
        source.require_stack(), steps, service.pictures.folder, source.layer.quantity, query, most
    )
    return _cube_answer(request, source, found, form, target)


def _position(
    request: Request, service: RasterService, layer_id: str, caller: Principal
) -> Response:
    import shapely

    from gis.rasters.queries import read_series

    source, given, form = _edr(request, service, layer_id, caller, "position")
    shape = shape_asked(given.get("coords"), ("POINT", "MULTIPOINT"))
    crs, steps = named_crs(given.get("crs")), _steps(source, given.get("datetime"))
    known = _known(request, source)
    if known is not None:
        return known
    places = [(float(x), float(y)) for x, y in shapely.get_coordinates(shape)]
    series = read_series(
        source.require_stack(), steps, service.pictures.folder, _xy(places, crs), _code(crs),
        MOST_VALUES,
    )  # fmt: skip
    if form == "geojson":
        return _json(request, source, series_features(source.layer, series), GEOJSON)
    many = shape.geom_type == "MultiPoint"
    document = series_coverages(source.layer, series, crs, is_line=False, many=many)
    return _json(request, source, document, COVERAGE_JSON)


def _trajectory(
    request: Request, service: RasterService, layer_id: str, caller: Principal
) -> Response:
    from gis.rasters.queries import places_along, read_series

    source, given, form = _edr(request, service, layer_id, caller, "trajectory")
    shape = _shape_xy(shape_asked(given.get("coords"), ("LINESTRING", "MULTILINESTRING")), given)
    crs, steps = named_crs(given.get("crs")), _steps(source, given.get("datetime"))
    known = _known(request, source)
    if known is not None:
        return known
    stack = source.require_stack()
    places = places_along(stack, shape, _code(crs))
    series = read_series(stack, steps, service.pictures.folder, places, _code(crs), MOST_VALUES)
    if form == "geojson":
        return _json(request, source, series_features(source.layer, series), GEOJSON)
    document = series_coverages(source.layer, series, crs, is_line=True, many=False)
    return _json(request, source, document, COVERAGE_JSON)


def _area(request: Request, service: RasterService, layer_id: str, caller: Principal) -> Response:
    from gis.rasters.queries import read_area

    source, given, form = _edr(request, service, layer_id, caller, "area")
    shape = _shape_xy(shape_asked(given.get("coords"), ("POLYGON", "MULTIPOLYGON")), given)
    if not shape.is_valid:
        raise BadInput("coords is a polygon that crosses itself: draw its edge once around")
    crs, steps = named_crs(given.get("crs")), _steps(source, given.get("datetime"))
    target = _target(given.get("crs"), source, form)
    known = _known(request, source)
    if known is not None:
        return known
    found = read_area(
        source.require_stack(), steps, service.pictures.folder, source.layer.quantity, shape,
        _code(crs), None if target is None else _code(target), MOST_VALUES,
    )  # fmt: skip
    return _cube_answer(request, source, found, form, target)


def _cube(request: Request, service: RasterService, layer_id: str, caller: Principal) -> Response:
    from gis.rasters.queries import RasterQuery, read_cube

    source, given, form = _edr(request, service, layer_id, caller, "cube")
    crs = named_crs(given.get("crs"))
    box = box_of(given.get("bbox"), crs)
    if box is None:
        raise BadInput("bbox is missing: give west,south,east,north, in the order of crs's axes")
    target = _target(given.get("crs"), source, form)
    steps = _steps(source, given.get("datetime"))
    known = _known(request, source)
    if known is not None:
        return known
    query = RasterQuery(
        (box.west, box.south, box.east, box.north),
        _code(crs),
        None if target is None else _code(target),
    )
    found = read_cube(
        source.require_stack(), steps, service.pictures.folder, source.layer.quantity, query,
        MOST_VALUES,
    )  # fmt: skip
    return _cube_answer(request, source, found, form, target)


def _edr(
    request: Request, service: RasterService, layer_id: str, caller: Principal, query: str
) -> tuple[RasterSource, Mapping[str, str], str]:
    source, given = _source(service, layer_id, caller), request.query_params
    _require_parameter(source, given.get("parameter-name"), "parameter-name")
    forms = [_NAMES[name.lower()] for name in FORMATS_OF_QUERY[query]]
    return source, given, _form(request, forms, first="covjson")


def _cube_answer(
    request: Request,
    source: RasterSource,
    found: "RasterCube",
    form: str,
    target: Crs | None,
) -> Response:
    """`target`: the CRS of the answer, where it was named; its axes are in the order of that."""
    layer, crs = source.layer, target or _crs_of_grid(found.grid.crs)
    if form == "tif":
        from gis.rasters.geotiff import geotiff

        headers = {
            **_validators(request, source),
            "Content-Disposition": f'attachment; filename="{layer.id}.tif"',
            "Content-Crs": f"<{crs.uri}>",
        }
        return Response(geotiff(found, layer.unit), media_type=GEOTIFF, headers=headers)
    if form == "geojson":
        return _json(request, source, cube_features(layer, found), GEOJSON)
    return _json(request, source, cube_coverage(layer, found, crs), COVERAGE_JSON)


def _json(request: Request, source: RasterSource, document: Any, media: str) -> Response:
    import orjson

    body = orjson.dumps(document)
    return Response(body, media_type=media, headers=_validators(request, source))


def _known(request: Request, source: RasterSource) -> Response | None:
    """304 where the client has this answer: it follows from the version and the question."""
    return not_modified(request, _validators(request, source)["ETag"])


def _validators(request: Request, source: RasterSource) -> dict[str, str]:
    question = [request.url.path, request.url.query, request.headers.get("accept", "")]
    etag = etag_of([source.layer.id, source.version, *question])
    return {"ETag": etag, "Cache-Control": "no-cache"}


def _source(service: RasterService, layer_id: str, caller: Principal) -> RasterSource:
    source = service.published.get(layer_id, caller)
    source.require_stack()
    return source


def _with_rasters(service: RasterService, caller: Principal) -> list[RasterSource]:
    return [source for source in service.published.readable(caller) if source.stack]


def _steps(source: RasterSource, at: str | None) -> tuple[StoredRaster, ...]:
    """The steps of a time, all without one. Raises NotFound where there is none."""
    span = source.span_asked(at)
    source.one(span)
    stack: RasterStack = source.require_stack()
    return tuple(stack.within(span))


def _target(text: str | None, source: RasterSource, form: str) -> Crs | None:
    """The CRS of the answer; None: that of the raster, where a client can know it."""
    if form == "geojson":
        if text is not None and named_crs(text) is not CRS84:
            raise BadInput("GeoJSON is in CRS84: leave crs out, or ask for another format")
        return CRS84
    if text is not None:
        return named_crs(text)
    return None if _is_offered(source.require_stack().grid.crs) else CRS84


def _is_offered(crs: str) -> bool:
    return any(_code(one) == crs for one in SUPPORTED)


def _crs_of_grid(crs: str) -> Crs:
    return next((one for one in SUPPORTED if _code(one) == crs), CRS84)


def _code(crs: Crs) -> str:
    return f"EPSG:{crs.srid}"


def _xy(places: list[tuple[float, float]], crs: Crs) -> list[tuple[float, float]]:
    return [(y, x) for x, y in places] if crs.yx else places


def _shape_xy(shape: Any, given: Mapping[str, str]) -> Any:
    import shapely

    if not named_crs(given.get("crs")).yx:
        return shape
    return shapely.transform(shape, lambda points: points[:, ::-1])


def _form(request: Request, offered: Sequence[str], *, first: str) -> str:
    """The format of `f`, else of Accept, else the first. Raises BadInput."""
    request.state.negotiated = True
    given = request.query_params.get("f")
    if given is not None:
        named = _NAMES.get(given.lower(), "")
        if named not in offered:
            names = [name for name, form in _NAMES.items() if form in offered]
            raise BadInput(f"f={given!r} is not offered here: use one of {', '.join(names)}")
        return named
    accepted = request.headers.get("accept", "").split(",")
    forms = [_ACCEPTED.get(part.partition(";")[0].strip(), "") for part in accepted]
    return next((form for form in forms if form in offered), first)


def _json_alone(request: Request) -> None:
    if request.query_params.get("f", "json") != "json":
        raise BadInput("this document is JSON alone: f=json")


def _require_parameter(source: RasterSource, text: str | None, name: str) -> None:
    """Raises BadInput for another parameter than the one that the layer has, named by its id."""
    if text is not None and text.split(",") != [source.layer.id]:
        raise BadInput(f"{name}={text!r} is wrong: the collection has {source.layer.id}")


def _root(request: Request) -> str:
    settings = request.app.state.settings
    root = settings.public_url or str(request.base_url).rstrip("/")
    return f"{root}/coverages"


def _link(href: str, rel: str) -> dict[str, str]:
    return {"href": href, "rel": rel, "type": "application/json"}
