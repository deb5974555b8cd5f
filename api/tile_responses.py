"""Vector tiles as HTTP responses: the one way from a request to a tile of a layer's features.

Here alone is decided who may read the layer, which state of it the tile has to show, whether it
comes from the cache, that beyond the limits of the tileset there is none, and its ETag and coding.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request, Response
from sqlalchemy.exc import DBAPIError

from api.dependencies import LayersInForce
from api.ogc.parameters import names_of, query_of
from api.results import layer_of
from gis.access import Principal
from gis.database.async_reader import AsyncReader
from gis.errors import GisError, NotFound
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from layers.items import Query
from layers.items.results import run_of
from layers.items.value_errors import computed
from tiles.cache import DrawnTile, PackedTile, TileCache
from tiles.grid import Tile
from tiles.limits import has_zoom
from tiles.mvt import known_source_of, layer_tile
from tiles.serving import StartedTile, TileServer
from tiles.sources import TileRequest
from tiles.state import STATES, LayerState, digests_of

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
_LARGE = 64 * 1024  # bytes whose compression would keep the event loop from other requests
_DRAWN_AT_A_TIME = 4  # the rest wait without a connection
_NO_SUCH_COLUMN = "42703"
_CODING = re.compile(r"([a-z0-9*_-]+)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")

type States = Mapping[str, LayerState]
type Parameters = Callable[[Layer], Mapping[str, str]]


class TileResponder:
    """Answers tiles of features on the event loop; a thread draws what one statement does not.

    A map asks for dozens of tiles a second: a tile that is in the cache costs one statement, which
    reads the states of all layers for all requests that wait for it.
    """

    def __init__(self, server: TileServer, layer_files: LayerFiles, reader: AsyncReader) -> None:
        self.server = server
        self._layer_files = layer_files
        self._reader = reader
        self._drawing = asyncio.Semaphore(_DRAWN_AT_A_TIME)
        # The threads of the application may all be waiting for what is drawn in these.
        self._threads = CapacityLimiter(_DRAWN_AT_A_TIME)
        self._reading = asyncio.Lock()
        self._next_states: asyncio.Task[States] | None = None

    async def respond(
        self, request: Request, layer_id: str, tile: Tile, parameters: Parameters | None = None
    ) -> Response:
        """The response to a request for one layer's tile.

        `parameters` gives those of the request, once they are known to be ones of the layer; None:
        there are none. Raises NotFound for a layer that the principal may not read, and for a tile
        beyond the limits of its tileset (OGC 20-057, tc-error); BadInput for wrong parameters.
        """
        principal: Principal = request.state.principal
        if run_of(layer_id) is not None:
            of_result = run_sync(
                self._of_result, request, layer_id, tile, parameters, limiter=self._threads
            )
            return tile_response(request, await of_result, self.server.cache)
        try:
            packed = None
            if parameters is None:
                packed = await self._new_tile(layer_id, tile, principal)
            if packed is None:
                packed = await self._tile_in_force(layer_id, tile, principal, parameters)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _NO_SUCH_COLUMN:
                raise
            # A field was closed since the states were read: those read now show it.
            packed = await self._tile_in_force(layer_id, tile, principal, parameters)
        if packed.beyond:
            self._require_limits(layer_id, tile)
        return tile_response(request, packed, self.server.cache)

    def _of_result(
        self, request: Request, layer_id: str, tile: Tile, parameters: Parameters | None
    ) -> PackedTile:
        """A tile of the result of a process, which few ask for and none changes: drawn anew."""
        layer = layer_of(request.app, layer_id, request.state.principal)
        given = {} if parameters is None else parameters(layer)
        source = known_source_of(layer)
        if not has_zoom(layer, tile.z):
            raise NotFound(f"the result {layer_id} has no tile {tile.z}/{tile.x}/{tile.y}")
        query = query_of(given, source) if given else Query()
        asked = TileRequest(tile, query, names_of(given.get("fields")))
        with self.server.database.reading() as connection, computed():
            return PackedTile.of(layer_tile(connection, layer, asked))

    async def in_force(self) -> LayersInForce:
        """As `api.dependencies.layers_in_force`, on the event loop."""
        states = await self._states()
        if not self._layer_files.is_current(digests_of(states)):
            await run_sync(self._layer_files.follow)
        return LayersInForce(self._layer_files.catalogue, states)

    async def tile(
        self,
        layer: Layer,
        tile: Tile,
        principal: Principal,
        parameters: Mapping[str, str],
        states: States,
    ) -> PackedTile:
        """A tile of a layer in force that the principal may read; `parameters` are known ones.

        Raises NotFound for a layer without tiles, BadInput for wrong values of parameters.
        """
        packed = self.server.cached(layer, tile, principal, parameters, states)
        if packed is None:
            packed = await self._pending(layer, tile, principal, parameters, states)
        if packed is None:
            state = states.get(layer.id)
            packed = await run_sync(self._draw, layer, tile, principal, parameters, state)
        return packed

    async def _tile_in_force(
        self, layer_id: str, tile: Tile, principal: Principal, parameters: Parameters | None
    ) -> PackedTile:
        catalogue, states = await self.in_force()
        layer = catalogue.get_readable(layer_id, principal)
        given = {} if parameters is None else parameters(layer)
        return await self.tile(layer, tile, principal, given, states)

    async def _new_tile(self, layer_id: str, tile: Tile, principal: Principal) -> PackedTile | None:
        """A tile without parameters that is drawn by one statement, which reads the state as well.

        None where it is in the cache or being drawn, needs more than a statement, or was drawn by a
        layer file that is not the published one.
        """
        catalogue = self._layer_files.catalogue
        try:
            started = self.server.start(
                catalogue.get_readable(layer_id, principal), tile, principal
            )
            drawn = None if started is None else await self._draw_started(started)
        except GisError:  # by the layers in force there may be none
            return None
        if drawn is None or self._layer_files.catalogue is not catalogue:
            return None
        return drawn.packed if self._layer_files.knows(layer_id, drawn.state.digest) else None

    async def _draw_started(self, started: StartedTile) -> DrawnTile:
        statement = started.statement
        with started.claim:
            async with self._drawing:
                rows = await self._reader.ask(statement.sql, statement.values)
                answer = statement.answer(rows)
            if answer is None:
                drawn = await run_sync(started.otherwise, limiter=self._threads)
            else:
                state, content, beyond = answer
                if len(content) > _LARGE:
                    packed = await run_sync(PackedTile.of, content, limiter=self._threads)
                else:
                    packed = PackedTile.of(content, beyond)
                drawn = DrawnTile(state, packed)
            started.claim.store(drawn)
            return drawn

    async def _pending(
        self,
        layer: Layer,
        tile: Tile,
        principal: Principal,
        parameters: Mapping[str, str],
        states: States,
    ) -> PackedTile | None:
        """The tile that another request has begun, where it shows the states: no thread waits."""
        pending = self.server.pending(layer, tile, principal, parameters)
        state = states.get(layer.id)
        if pending is None or state is None:
            return None
        try:
            drawn = await asyncio.shield(asyncio.wrap_future(pending))
        except asyncio.CancelledError:
            if not pending.cancelled():
                raise
            return None
        return drawn.packed if drawn.state.covers(state) else None

    def _draw(
        self,
        layer: Layer,
        tile: Tile,
        principal: Principal,
        parameters: Mapping[str, str],
        state: LayerState | None,
    ) -> PackedTile:
        def read() -> tuple[Query, tuple[str, ...] | None]:
            if not parameters:
                return Query(), None
            query = query_of(parameters, known_source_of(layer))
            return query, names_of(parameters.get("fields"))

        # Without parameters, a value that cannot be computed is no fault of the client.
        with computed() if parameters else nullcontext():
            return self.server.features(layer, tile, principal, parameters, read, state)

    def _require_limits(self, layer_id: str, tile: Tile) -> None:
        options = self._layer_files.catalogue.get(layer_id).tiles
        if options is not None:
            raise NotFound(
                f"{layer_id} has no tile {tile.z}/{tile.x}/{tile.y}: its zooms are "
                f"{options.min_zoom} to {options.max_zoom}, and its tiles those of its data "
                f"(tileMatrixSetLimits in /ogc/collections/{layer_id}/tiles/WebMercatorQuad)"
            )

    async def _states(self) -> States:
        """Joins a reading that has not begun, which sees all that was committed before."""
        if self._next_states is None:
            self._next_states = asyncio.create_task(self._read_states())
        return await asyncio.shield(self._next_states)

    async def _read_states(self) -> States:
        async with self._reading:
            self._next_states = None
            return self.server.states.latest.of(await self._reader.ask(STATES, {}))


def tile_response(request: Request, tile: PackedTile, cache: TileCache) -> Response:
    """A tile with its ETag, compressed as it is stored where the client reads gzip; 304 where the
    client has it.
    """
    gzipped = tile.gzipped and reads_gzip(request.headers.get("accept-encoding", ""))
    headers = {
        "ETag": f'"{tile.digest}-gzip"' if gzipped else f'"{tile.digest}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if gzipped:
        headers["Content-Encoding"] = "gzip"
        return Response(tile.body, media_type=MEDIA_TYPE, headers=headers)
    return Response(cache.content(tile), media_type=MEDIA_TYPE, headers=headers)


@lru_cache(maxsize=64)  # browsers have few ways of saying it
def reads_gzip(accepted: str) -> bool:
    """True where a header Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = dict(_CODING.findall(accepted.lower()))
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight == "" or float(weight) > 0


async def _responder(request: Request) -> TileResponder:
    return request.app.state.tile_responder  # type: ignore[no-any-return]


UsedResponder = Annotated[TileResponder, Depends(_responder)]
