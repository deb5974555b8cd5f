"""Fast path: plain requests for tiles reach `api.tile_responses` without the router's detour."""

import re

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import answer_to
from api.tile_responses import TileResponder
from gis.errors import GisError
from tiles.grid import Tile

_PATH = re.compile(r"/tiles/([a-z0-9_]{1,48})/(\d{1,2})/(\d{1,7})/(\d{1,7})\.(?:mvt|pbf)")


class TileFastPath:
    """Recognises a tile without parameters; all else it passes on.

    Stands inside RequestContext, which gives the request its principal.
    """

    def __init__(self, app: ASGIApp, tiles: TileResponder) -> None:
        self.app = app
        self.tiles = tiles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]
        path = _PATH.fullmatch(scope["path"]) if plain else None
        if path is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            tile = Tile(int(path[2]), int(path[3]), int(path[4]))
            response = await self.tiles.respond(request, path[1], tile)
        except (GisError, DBAPIError) as error:  # outside of the application's error handlers
            response = answer_to(request, error)
        await response(scope, receive, send)
