"""Tiles without parameters, answered before the rest of the application is asked.

A map asks for dozens of tiles a second. Those that are kept and true are sent from here on the
event loop, and so are those that one question makes; any other request is only passed on, and so is
one that is refused: the application says why.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import on_database
from api.routes.tiles import feature_tile, tile_answer
from gis.access import Principal
from gis.database.async_reader import AsyncReader
from gis.errors import GisError
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from tiles.cache import DrawnTile, PackedTile
from tiles.grid import Tile
from tiles.serving import StartedTile, TileServer
from tiles.state import ALL_STATES, LayerState, states_of

_LARGE = 64 * 1024  # bytes that take so long to pack that others would wait for it
_MADE_AT_A_TIME = 4  # the rest wait without a connection
_NO_SUCH_COLUMN = "42703"  # it became personal since this process looked
_PATH = re.compile(r"/tiles/([a-z0-9_]{1,48})/(\d{1,2})/(\d{1,7})/(\d{1,7})\.(?:mvt|pbf)")


class TileFastPath:
    """Stands inside RequestContext, which says who asks."""

    def __init__(self, app: ASGIApp, tiles: TileServer, asking: AsyncReader) -> None:
        self.app = app
        self.tiles = tiles
        self.asking = asking
        self._making = asyncio.Semaphore(_MADE_AT_A_TIME)
        self._threads: CapacityLimiter | None = None
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[Mapping[str, LayerState]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _asked(scope)
        answer = None if found is None else await self._answer(Request(scope), found)
        await (answer or self.app)(scope, receive, send)

    async def _answer(self, request: Request, found: re.Match[str]) -> Response | None:
        """None: the application answers, also where the layer may not be read, and where another
        layer file was published since this process looked.
        """
        z, x, y = map(int, found.groups()[1:])
        try:
            packed = await self._packed(request, found[1], Tile(z, x, y))
        except GisError:
            return None
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _NO_SUCH_COLUMN:
                return None
            return on_database(request, error)
        return None if packed is None or packed.beyond else tile_answer(request, packed)

    async def _packed(self, request: Request, layer_id: str, tile: Tile) -> PackedTile | None:
        files: LayerFiles = request.app.state.layer_files
        catalogue, caller = files.catalogue, request.state.principal
        layer = catalogue.get_readable(layer_id, caller)
        begun = self.tiles.begin(layer, tile, caller)
        if begun is not None:
            made = await self._made(begun)
            known = files.knows(layer_id, made.state.digest) and files.catalogue is catalogue
            return made.packed if known else None
        states = await self._states()
        known = files.is_current({name: state.digest for name, state in states.items()})
        if not known or files.catalogue is not catalogue:
            return None
        kept = self.tiles.kept_features(layer, tile, caller, {}, states)
        if kept is None:
            kept = await self._made_meanwhile(layer, tile, caller, states)
        if kept is not None:
            return kept
        request.state.tile_states = states
        return await run_sync(feature_tile, request, self.tiles, layer, tile, caller, {})

    async def _made(self, begun: StartedTile) -> DrawnTile:
        asked = begun.question
        with begun.claim:
            async with self._making:
                found = asked.answer(await self.asking.ask(asked.sql, asked.values))
            if found is None:
                made = await self._in_own_thread(begun.otherwise)
            else:
                state, content = found
                large = len(content) > _LARGE
                pack = PackedTile.of
                packed = await self._in_own_thread(pack, content) if large else pack(content)
                if not content:
                    ((beyond,),) = await self.asking.ask(*begun.limits)
                    packed = replace(packed, beyond=beyond)
                made = DrawnTile(state, packed)
            begun.claim.keep(made)
            return made

    async def _made_meanwhile(
        self, layer: Layer, tile: Tile, caller: Principal, states: Mapping[str, LayerState]
    ) -> PackedTile | None:
        """What another makes, where it shows the states; waits without a thread."""
        pending, now = self.tiles.being_made(layer, tile, caller), states.get(layer.id)
        if pending is None or now is None:
            return None
        try:
            made = await asyncio.shield(asyncio.wrap_future(pending))
        except asyncio.CancelledError:
            if not pending.cancelled():
                raise
            return None
        return made.packed if made.state.covers(now) else None

    async def _in_own_thread[T, *A](self, work: Callable[[*A], T], *given: *A) -> T:
        """The threads of the application may all be waiting for what is made here."""
        if self._threads is None:
            self._threads = CapacityLimiter(_MADE_AT_A_TIME)
        return await run_sync(work, *given, limiter=self._threads)

    async def _states(self) -> Mapping[str, LayerState]:
        """Who asks joins a reading that has not begun (see tiles.state.States)."""
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return await asyncio.shield(self._next)

    async def _read(self) -> Mapping[str, LayerState]:
        async with self._lock:
            self._next = None
            return states_of(await self.asking.ask(ALL_STATES, {}))


def _asked(scope: Scope) -> re.Match[str] | None:
    plain = scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]
    return _PATH.fullmatch(scope["path"]) if plain else None
