"""Tile server: each tile is drawn once for each state of its layer, never from an older one."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Lock, Semaphore

from sqlalchemy import Connection

from gis.access import Principal
from gis.database.engine import Database
from layers.definition.model import Layer
from layers.items import Query
from tiles.cache import DrawnTile, PackedTile, TileCache, TileClaim
from tiles.coverage import is_simplified, is_too_large, reach, simplifying, stored_zoom
from tiles.disk import DiskCache
from tiles.grid import Tile
from tiles.hexes import (
    HexQuery,
    HexRequest,
    HexResults,
    cells_of,
    hex_tile,
)
from tiles.invalidation import TouchedTiles
from tiles.limits import beyond_limits, has_zoom
from tiles.mvt import TileStatement, known_source_of, layer_tile, question
from tiles.sources import TileRequest
from tiles.state import LayerState, States, not_published, read_state

type Maker = Callable[[Connection, LayerState], bytes]

_NO_SUCH_ZOOM = replace(PackedTile.of(b""), beyond=True)
_DRAWN_AT_A_TIME = 4  # the rest wait without a connection: cached tiles need one for their state


@dataclass(frozen=True)
class _Key:
    """Cache key of a tile. A layer is the same only as an object, which the key keeps alive: a
    changed layer file gives another.
    """

    kind: str
    tile: Tile
    rest: Hashable
    number: int  # id() of the layer
    layer: Layer = field(compare=False)

    @property
    def text(self) -> str:
        """The same for all processes, and after a restart."""
        return repr((self.kind, self.tile, self.rest, self.layer.model_dump_json()))


@dataclass(frozen=True)
class StartedTile:
    """A tile in no cache yet: the claim to draw it, and the statement that draws most tiles.

    `otherwise` draws it in a thread where the statement does not.
    """

    claim: TileClaim
    statement: TileStatement
    otherwise: Callable[[], DrawnTile]


@dataclass(frozen=True)
class TileServer:
    """Draws tiles from a database, in the order: memory, disk, database."""

    database: Database
    k_anonymity: int
    cache: TileCache = field(default_factory=TileCache)
    disk: DiskCache | None = None
    hex_answers: HexResults = field(default_factory=HexResults)
    changes: TouchedTiles = field(default_factory=TouchedTiles)
    border_changes: TouchedTiles = field(
        default_factory=TouchedTiles
    )  # as far as they move other borders
    _simplified: set[str] = field(default_factory=set)  # layers that had shapes when last seen
    _too_large: dict[str, LayerState] = field(default_factory=dict)  # that are not simplified
    _simplifying: dict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))
    _making: Semaphore = field(default_factory=lambda: Semaphore(_DRAWN_AT_A_TIME))

    @cached_property
    def states(self) -> States:
        return States(self.database)

    def features(
        self,
        layer: Layer,
        tile: Tile,
        principal: Principal,
        parameters: Mapping[str, str],
        read: Callable[[], tuple[Query, tuple[str, ...] | None]],
        state: LayerState | None,
    ) -> PackedTile:
        """A tile of a layer's features, `beyond` where its tileset has none.

        `parameters` are part of the cache key; `read` gives the query and the fields that they
        mean, and is called where the tile is not in the cache. `state` is that of the layer, read
        since the request came; None: it is not published. Raises NotFound for such a layer and for
        one without tiles, and what `read` raises.
        """
        if layer.tiles is not None and not has_zoom(layer, tile.z):
            return _NO_SUCH_ZOOM
        if state is None:
            raise not_published(layer.id)
        zoom = stored_zoom(layer, tile.z)

        def draw() -> DrawnTile:
            return self._drawn_in_limits(layer, TileRequest(tile, *read()), zoom)

        key = _features_key(layer, tile, principal, parameters)
        return self._made(key, draw, state, self._changes(layer, tile))

    def start(self, layer: Layer, tile: Tile, principal: Principal) -> StartedTile | None:
        """A tile without parameters that one statement may draw.

        None where it is in the cache or being drawn, so that the layer's state decides, or where it
        needs more than a statement. Raises NotFound for a layer without tiles.
        """
        key = _features_key(layer, tile, principal, {})
        if self.disk is not None or not has_zoom(layer, tile.z) or not self.cache.is_new(key):
            return None
        request, zoom = TileRequest(tile), stored_zoom(layer, tile.z)
        if zoom is not None and layer.id not in self._simplified:
            return None
        statement = question(self.database.dialect, layer, request, zoom)
        claim = None if statement is None else self.cache.claim(key)
        if statement is None or claim is None:
            return None
        return StartedTile(claim, statement, lambda: self._drawn_in_limits(layer, request, zoom))

    def pending(
        self, layer: Layer, tile: Tile, principal: Principal, parameters: Mapping[str, str]
    ) -> Future[DrawnTile] | None:
        """The tile of features that another request is drawing; None where none is."""
        return self.cache.pending(_features_key(layer, tile, principal, parameters))

    def _drawn_in_limits(self, layer: Layer, request: TileRequest, zoom: int | None) -> DrawnTile:
        drawn = self._drawn(layer, request, zoom)
        if drawn.packed.body or drawn.packed.beyond:
            return drawn
        limits = beyond_limits(self.database.dialect, known_source_of(layer), request.tile)
        ((beyond,),) = self.database.ask(*limits)
        return replace(drawn, packed=replace(drawn.packed, beyond=beyond))

    def _drawn(self, layer: Layer, request: TileRequest, zoom: int | None) -> DrawnTile:
        """`zoom`: that of the simplified shapes which are drawn; None: polygons as they are."""
        if zoom is None:
            with self._making:
                drawn = self._at_once(layer, request, None)
                return drawn or self._in_snapshot(
                    layer, lambda connection, _: layer_tile(connection, layer, request)
                )
        with self._making:
            drawn = self._with_shapes(layer, request, zoom)
        if drawn is not None:
            return drawn
        # Requests that wait here for the shapes hold up no tile of another layer.
        with self._simplifying[layer.id]:
            with self._making:
                drawn = self._with_shapes(layer, request, zoom)
            if drawn is not None:
                return drawn
            # Drawn in the very snapshot that was simplified, so that no writer outruns it.
            with simplifying(self.database, layer) as (connection, state):
                shapes = zoom if is_simplified(connection, layer, state) else None
                return DrawnTile(
                    state, PackedTile.of(layer_tile(connection, layer, request, shapes))
                )

    def _with_shapes(self, layer: Layer, request: TileRequest, zoom: int) -> DrawnTile | None:
        """A tile with the simplified shapes of its state, or with polygons as they are where these
        are too many to be simplified; None where the shapes have to be made first.
        """
        if layer.id in self._simplified:
            drawn = self._at_once(layer, request, zoom)
            if drawn is not None:
                return drawn
        elif layer.id in self._too_large:
            drawn = self._at_once(layer, request, None)
            if drawn is not None and self._was_too_large(layer, drawn.state):
                return drawn
        with self.database.snapshot() as connection:
            state = read_state(connection, layer.id)
            simplified = is_simplified(connection, layer, state)
            if not simplified and not is_too_large(connection, layer):
                self._too_large.pop(layer.id, None)
                return None
            if simplified:
                self._simplified.add(layer.id)
            else:
                self._simplified.discard(layer.id)
                self._too_large[layer.id] = state
            shapes = zoom if simplified else None
            return DrawnTile(state, PackedTile.of(layer_tile(connection, layer, request, shapes)))

    def _was_too_large(self, layer: Layer, state: LayerState) -> bool:
        """True where the layer has too many polygons to simplify in this state."""
        if self._too_large.get(layer.id) != state:
            with self.database.snapshot() as connection:
                if is_too_large(connection, layer):
                    self._too_large[layer.id] = read_state(connection, layer.id)
        return self._too_large.get(layer.id) == state

    def _at_once(self, layer: Layer, request: TileRequest, shapes: int | None) -> DrawnTile | None:
        statement = question(self.database.dialect, layer, request, shapes)
        if statement is None:
            return None
        answer = statement.answer(self.database.ask(statement.sql, statement.values))
        if answer is None:
            return None
        state, content, beyond = answer
        return DrawnTile(state, PackedTile.of(content, beyond))

    def cached(
        self,
        layer: Layer,
        tile: Tile,
        principal: Principal,
        parameters: Mapping[str, str],
        states: Mapping[str, LayerState],
    ) -> PackedTile | None:
        """A tile of features that is in the cache and true of the states just read, else None."""
        now = states.get(layer.id)
        key = _features_key(layer, tile, principal, parameters)
        entry = self.cache.entry(key) if now is not None else None
        if entry is None or now is None:
            return None
        if entry.state == now:
            return entry.packed
        if _still_true(self._changes(layer, tile), entry, now, tile):
            self.cache.confirm(key, entry, now)
            return entry.packed
        return None

    def hexes(
        self, layer: Layer, tile: Tile, principal: Principal, query: HexQuery | None = None
    ) -> PackedTile:
        """A tile of a layer's measures by hex, as the principal may see them.

        `query` None: of all records. Raises BadInput for a query that the public may not ask,
        NotFound for a layer that is not published.
        """
        hex_request = HexRequest.by(principal, layer, query or HexQuery(), self.k_anonymity)
        resolution = hex_request.resolution_at(tile.z)

        def draw(connection: Connection, state: LayerState) -> bytes:
            cells = cells_of(tile, resolution)
            table = self.hex_answers.table(connection, state, hex_request, resolution, cells)
            return hex_tile(connection, layer, tile, table)

        rest = (principal.audience, hex_request.k, hex_request.question, resolution, layer.hexes)
        # What is hidden depends on other hexes, wherever they lie.
        key = _Key("hexes", tile, rest, id(layer), layer)
        now = self.states.of(layer.id)

        def draw_in_turn() -> DrawnTile:
            with self._making:
                return self._in_snapshot(layer, draw)

        return self._made(key, draw_in_turn, now, None)

    def _changes(self, layer: Layer, tile: Tile) -> TouchedTiles:
        """The changes by which a tile of features may have become untrue."""
        return self.changes if stored_zoom(layer, tile.z) is None else self.border_changes

    def _made(
        self,
        key: _Key,
        draw: Callable[[], DrawnTile],
        now: LayerState,
        changes: TouchedTiles | None,
    ) -> PackedTile:
        """A tile from the cache where it is true of the state `now`, else drawn.

        `changes`: a tile that none of them meets is still true; None: the tile depends on rows
        anywhere.
        """
        entry = self.cache.entry(key)
        if entry is not None and changes is not None and entry.state != now:
            self._learn(changes, key.layer, entry.state, now)
        if entry is not None and (
            entry.state == now
            or (changes is not None and _still_true(changes, entry, now, key.tile))
        ):
            self.cache.confirm(key, entry, now)
            return entry.packed

        return self.cache.get_or_draw(key, now, lambda: self._through_disk(key, draw, now))

    def _through_disk(self, key: _Key, draw: Callable[[], DrawnTile], now: LayerState) -> DrawnTile:
        if self.disk is None:
            return draw()
        name = key.text
        drawn = self.disk.entry(name, now)
        if drawn is None:
            drawn = draw()
            self.disk.store(name, drawn)
        return drawn

    def _in_snapshot(self, layer: Layer, draw: Maker) -> DrawnTile:
        """One snapshot for the state and the rows, so that the state is true."""
        with self.database.snapshot() as connection:
            state = read_state(connection, layer.id)
            return DrawnTile(state, PackedTile.of(draw(connection, state)))

    def _learn(
        self, changes: TouchedTiles, layer: Layer, made: LayerState, now: LayerState
    ) -> None:
        if changes.knows(layer.id, made.version, now.version):
            return
        with self.database.reading() as connection:
            far = changes is self.border_changes
            seen = partial(reach, connection, layer) if far else lambda box: box
            changes.learn(connection, layer.id, made.version, now.version, seen)


def _still_true(changes: TouchedTiles, cached: DrawnTile, now: LayerState, tile: Tile) -> bool:
    """False for an empty tile: limits change from afar, and it is soon drawn again."""
    if not cached.packed.body or cached.state.day != now.day:
        return False
    return changes.untouched(now.layer_id, cached.state.version, now.version, tile.bbox())


def _features_key(
    layer: Layer, tile: Tile, principal: Principal, parameters: Mapping[str, str]
) -> _Key:
    rest = (principal.audience, _digest(parameters) if parameters else "")
    return _Key("features", tile, rest, id(layer), layer)


def _digest(parameters: Mapping[str, str]) -> str:
    """A filter may have thousands of letters, of which a cache would hold one for each tile."""
    return hashlib.blake2b(repr(sorted(parameters.items())).encode(), digest_size=16).hexdigest()
