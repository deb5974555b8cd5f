"""Raster layers: their list, legend, pictures for maps, values at a point, whole files."""

import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse

from api.conditional import conditional_json, etag_of, not_modified
from api.dependencies import Caller, DeclaredParameters, UsedSettings
from api.links import public_url
from api.routes.places import Lat, Lon
from api.routes.styles import Lang
from gis.database.engine import Database
from gis.errors import BadInput, NotFound
from gis.settings import Settings
from layers.rasters import PublishedRasters, RasterSource
from layers.style.legend import in_language
from layers.style.raster import label_of, raster_legend
from tiles.grid import Tile
from tiles.raster import FORMATS, SIZE_PX, RasterPictures, load_libraries, require_zoom

router = APIRouter(prefix="/rasters", tags=["rasters"], dependencies=[DeclaredParameters])

_MOST_STEPS = 366  # that a list names, the newest of them
_AT_A_TIME = 4  # of two processors; the rest wait without a thread


class RasterService:
    """The part of rasters that outlives a request: what is published, pictures, threads."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.published = PublishedRasters(database)
        self.pictures = RasterPictures(settings.rasters)
        self._threads = CapacityLimiter(_AT_A_TIME)

    async def run[T, *A](self, work: Callable[[*A], T], *given: *A) -> T:
        """In a thread of rasters, once one is free."""

        def prepared() -> T:
            load_libraries()
            return work(*given)

        return await run_sync(prepared, limiter=self._threads)


async def _service(request: Request) -> RasterService:
    return request.app.state.rasters  # type: ignore[no-any-return]


UsedRasters = Annotated[RasterService, Depends(_service)]
At = Annotated[
    str | None,
    Query(alias="datetime", description="An instant, a day or an interval; unset: the newest step"),
]


@router.get("")
def rasters(request: Request, service: UsedRasters, caller: Caller) -> Response:
    """The raster layers that the caller may read, with what a client needs to show them."""
    sources = service.published.readable(caller)
    return conditional_json(request, {"rasters": [_summary(source) for source in sources]})


@router.get("/{layer_id}/legend.json")
def legend(
    layer_id: str, service: UsedRasters, caller: Caller, lang: Lang = "vi"
) -> dict[str, Any]:
    """The legend of a raster layer, as it is drawn."""
    layer = service.published.get(layer_id, caller).layer
    return {"raster": [asdict(entry) for entry in raster_legend(layer, lang)]}


@router.get("/{layer_id}/tilejson.json")
def tilejson(
    layer_id: str,
    request: Request,
    service: UsedRasters,
    settings: UsedSettings,
    caller: Caller,
    at: At = None,
) -> Response:
    """TileJSON 3.0 of a raster's pictures, whose address changes with each new raster."""
    source = service.published.get(layer_id, caller)
    tiles, raster = source.layer.tiles, source.one(source.span_asked(at))
    if tiles is None:
        raise NotFound(f"the layer {layer_id} has no tiles")
    base = f"{public_url(request, settings)}/rasters/{layer_id}"
    given = f"?datetime={raster.start:%Y-%m-%dT%H:%M:%SZ}" if raster.start else ""
    document = {
        "tilejson": "3.0.0",
        "name": in_language(source.layer.title, "vi"),
        "description": in_language(source.layer.description, "vi"),
        "attribution": source.layer.attribution or "",
        "version": f"1.0.{raster.id}",
        "scheme": "xyz",
        "tiles": [f"{base}/{{z}}/{{x}}/{{y}}.png{given}"],
        "minzoom": tiles.min_zoom,
        "maxzoom": tiles.max_zoom,
        "bounds": source.require_stack().box.as_list(),
    }
    return conditional_json(request, document)


@router.get("/{layer_id}/point")
async def point(
    layer_id: str,
    request: Request,
    service: UsedRasters,
    caller: Caller,
    lon: Lon = None,
    lat: Lat = None,
    at: At = None,
) -> Response:
    """The value of the pixel at a point; null where it has none, 404 beyond the raster."""
    if lon is None or lat is None:
        raise BadInput("give both `lon` and `lat`, degrees, WGS 84")
    body = await service.run(_value_at, service, layer_id, caller, lon, lat, at)
    return conditional_json(request, body)


@router.get("/{layer_id}/data.tif")
def data(
    layer_id: str, request: Request, service: UsedRasters, caller: Caller, at: At = None
) -> Response:
    """The raster whole, as a Cloud Optimized GeoTIFF; GDAL and QGIS read it by ranges."""
    source = service.published.get(layer_id, caller)
    raster = source.one(source.span_asked(at))
    path = raster.path(service.pictures.folder)
    if not path.is_file():
        raise NotFound("the file of the raster is not in the folder of this service")
    etag = etag_of(raster.file)
    return not_modified(request, etag) or FileResponse(
        path,
        media_type="image/tiff; application=geotiff; profile=cloud-optimized",
        filename=f"{layer_id}.tif",
        headers={"ETag": etag, "Cache-Control": "no-cache"},
    )


@router.get("/{layer_id}/hillshade/{z}/{x}/{y}.png")
@router.get("/{layer_id}/hillshade/{z}/{x}/{y}.webp", include_in_schema=False)
async def hillshade(
    layer_id: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    service: UsedRasters,
    caller: Caller,
) -> Response:
    """Shaded relief of heights, to lie over any map."""
    tile = Tile(z, x, y)
    return await service.run(_picture, request, service, layer_id, caller, tile, None, True)


@router.get("/{layer_id}/{z}/{x}/{y}.png")
@router.get("/{layer_id}/{z}/{x}/{y}.webp", include_in_schema=False)
async def picture(
    layer_id: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    service: UsedRasters,
    caller: Caller,
    at: At = None,
) -> Response:
    """A picture of the raster, `png` or `webp`, of 256 pixels a side."""
    tile = Tile(z, x, y)
    return await service.run(_picture, request, service, layer_id, caller, tile, at, False)


def _picture(
    request: Request,
    service: RasterService,
    layer_id: str,
    caller: Caller,
    tile: Tile,
    at: str | None,
    shaded: bool,
) -> Response:
    source = service.published.get(layer_id, caller)
    layer, form = source.layer, request.url.path.rpartition(".")[2]
    require_zoom(layer, tile)
    if shaded and not (layer.tiles and layer.tiles.hillshade):
        raise NotFound(f"the layer {layer_id} has no hillshade")
    raster = source.one(source.span_asked(at))
    etag = etag_of([raster.file, raster.simulated, layer.style.model_dump(mode="json"),
                    [tile.z, tile.x, tile.y], form, shaded])  # fmt: skip
    known = not_modified(request, etag)
    if known is not None:
        return known
    body = service.pictures.picture(layer, raster, tile, form, shaded=shaded)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    return Response(body, media_type=FORMATS[form], headers=headers)


def _value_at(
    service: RasterService, layer_id: str, caller: Caller, lon: float, lat: float, at: str | None
) -> dict[str, Any]:
    from gis.rasters.reading import read_points

    source = service.published.get(layer_id, caller)
    stack, raster = source.require_stack(), source.one(source.span_asked(at))
    pixel = stack.grid.pixel_of(*stack.xy_of(lon, lat))
    if pixel is None:
        box = ", ".join(f"{part:.4f}" for part in stack.box.as_list())
        raise NotFound(f"{lon}, {lat} lies beyond the raster, whose box is {box}")
    value = float(read_points([raster.path(service.pictures.folder)], [pixel])[0, 0])
    layer, missing = source.layer, math.isnan(value)
    return {
        "layer": layer_id,
        "value": None if missing else value,
        "label": None if missing else label_of(layer, value),
        "unit": layer.unit,
        "simulated": raster.simulated,
        "from": _text(raster.span.start) if raster.span else None,
        "to": _text(raster.span.end) if raster.span else None,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _summary(source: RasterSource) -> dict[str, Any]:
    layer, stack = source.layer, source.stack
    interval = stack.interval if stack else None
    return {
        "id": layer.id,
        "version": source.version,
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "department": layer.department.model_dump(),
        "licence": layer.licence,
        "attribution": layer.attribution,
        "quantity": layer.quantity,
        "unit": layer.unit,
        "opacity": layer.style.opacity,
        "has_tiles": layer.tiles is not None and stack is not None,
        "has_hillshade": stack is not None and layer.tiles is not None and layer.tiles.hillshade,
        "simulated": stack.is_simulated if stack else False,
        "rasters": len(stack.rasters) if stack else 0,
        "bbox": stack.box.as_list() if stack else None,
        "interval": [_text(interval.start), _text(interval.end)] if interval else None,
        "steps": [
            [_text(raster.span.start), _text(raster.span.end)]
            for raster in (stack.rasters[-_MOST_STEPS:] if stack else ())
            if raster.span
        ],
        "tile_size": SIZE_PX,
        "min_zoom": layer.tiles.min_zoom if layer.tiles else None,
        "max_zoom": layer.tiles.max_zoom if layer.tiles else None,
    }
