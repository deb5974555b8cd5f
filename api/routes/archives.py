"""PMTiles archives of public layers, as `gis tiles export` put them into their folder."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from api.dependencies import Caller, Reader, UsedCatalogue, UsedSettings
from gis.errors import NotFound
from layers.definition.model import Audience
from layers.items.export_area import check_export_area
from tiles.archive import MEDIA_TYPE, SUFFIX, is_outdated
from tiles.state import read_state

router = APIRouter(tags=["tiles"])
_PREFIX = "/pmtiles/"


@router.get("/pmtiles/{layer_id}.pmtiles")
def archive(
    layer_id: str,
    connection: Reader,
    settings: UsedSettings,
    catalogue: UsedCatalogue,
    caller: Caller,
) -> Response:
    """The archive of a public layer, also by ranges; its ETag changes with each export.

    404 also for one that may hold what was closed since: a layer, what was found in it, a field.
    403 for a layer that is given out by area alone.
    """
    layer = catalogue.get_readable(layer_id, caller)
    check_export_area(layer, None, caller)
    path = settings.archives / f"{layer.id}{SUFFIX}"
    public = layer.access.read is Audience.PUBLIC and path.is_file()
    if not public or is_outdated(path, read_state(connection, layer.id)):
        raise NotFound(f"there is no archive of {layer_id}: `gis tiles export {layer_id}` makes it")
    return FileResponse(path, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-cache"})


class Compression(GZipMiddleware):
    """Compresses answers, but not archives: ranges count the bytes of the file, packed already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
