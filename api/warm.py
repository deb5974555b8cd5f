"""Tiles that are at hand, answered before the rest of the application is asked.

A map asks for dozens of tiles a second. Those without parameters that are kept and true are sent
from here on the event loop; for any other request this only passes it on, and says nothing itself.
"""

import asyncio
import re
from collections.abc import Mapping

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes.tiles import readable, tile_answer
from gis.errors import GisError
from layers.catalogue import Catalogue
from tiles.cache import Packed
from tiles.grid import Tile
from tiles.serving import TileServer
from tiles.state import LayerState

_PATH = re.compile(r"/tiles/([a-z0-9_]{1,48})/(\d{1,2})/(\d{1,7})/(\d{1,7})\.mvt")


class WarmTiles:
    """Stands inside RequestContext, which says who asks."""

    def __init__(self, app: ASGIApp, tiles: TileServer) -> None:
        self.app = app
        self.tiles = tiles
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[Mapping[str, LayerState]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _asked(scope)
        packed = None if found is None else await self._kept(Request(scope), found)
        answer = self.app if packed is None else tile_answer(Request(scope), packed)
        await answer(scope, receive, send)

    async def _kept(self, request: Request, found: re.Match[str]) -> Packed | None:
        """None: the application answers, also where the layer may not be read."""
        catalogue: Catalogue = request.app.state.catalogue
        caller = request.state.principal
        z, x, y = map(int, found.groups()[1:])
        try:
            layer, tile = readable(catalogue, caller, found[1]), Tile(z, x, y)
            states = await self._states()
        except GisError:
            return None
        return self.tiles.kept_features(layer, tile, caller, {}, states)

    async def _states(self) -> Mapping[str, LayerState]:
        """Who asks joins a reading that has not begun (see tiles.state.States)."""
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return await asyncio.shield(self._next)

    async def _read(self) -> Mapping[str, LayerState]:
        async with self._lock:
            self._next = None
            return await run_sync(self.tiles.states.read)


def _asked(scope: Scope) -> re.Match[str] | None:
    plain = scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]
    return _PATH.fullmatch(scope["path"]) if plain else None
