"""Tiles as they are served: made once for each state of a layer, and never from an older one."""

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
    hex_options,
    hex_tile,
    resolution_at,
)
from tiles.invalidation import TouchedTiles
from tiles.limits import beyond_limits, has_zoom
from tiles.mvt import TileStatement, known_source_of, layer_tile, question
from tiles.sources import TileRequest
from tiles.state import LayerState, States, read_state

type Maker = Callable[[Connection, LayerState], bytes]

_NO_SUCH_ZOOM = replace(PackedTile.of(b""), beyond=True)
_MADE_AT_A_TIME = 4  # the rest wait without a connection, which states of kept tiles need


@dataclass(frozen=True)
class _Key:
    """What an answer is kept by. A layer is the same only as an object, which the key keeps alive:
    a changed layer file gives another.
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
    """A tile that nobody made yet: the claim to it, the question that makes most tiles, and how it
    is made where that does not.
    """

    claim: TileClaim
    question: TileStatement
    otherwise: Callable[[], DrawnTile]
    limits: tuple[str, Mapping[str, float]]  # what to ask about an empty one


@dataclass(frozen=True)
class TileServer:
    """Makes tiles from a database and keeps them."""

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
    _making: Semaphore = field(default_factory=lambda: Semaphore(_MADE_AT_A_TIME))

    @cached_property
    def states(self) -> States:
        return States(self.database)

    def features(
        self,
        layer: Layer,
        tile: Tile,
        who: Principal,
        asked: Mapping[str, str],
        read: Callable[[], tuple[Query, tuple[str, ...] | None]],
        now: LayerState | None = None,
    ) -> PackedTile:
        """A tile of a layer's features, `beyond` where its tileset has none. `asked` are the
        parameters, part of the key; `read` gives the query and the fields that they mean, and
        raises what is wrong with them; it is called where the tile is not kept. `now` is the
        layer's state, where it was read since somebody asked.
        """
        if layer.tiles is not None and not has_zoom(layer, tile.z):
            return _NO_SUCH_ZOOM
        key = _features_key(layer, tile, who, asked)
        zoom = stored_zoom(layer, tile.z)

        def make() -> DrawnTile:
            return self._drawn_in_limits(layer, TileRequest(tile, *read()), zoom)

        claim = self.cache.claim(key) if now is None and self.disk is None else None
        if claim is not None:
            with claim:
                return claim.keep(make())
        return self._made(key, make, now or self.states.of(layer.id), self._changes(layer, tile))

    def begin(self, layer: Layer, tile: Tile, who: Principal) -> StartedTile | None:
        """A tile without parameters that one question may make; None where it is kept or being
        made, so that its state decides, or where it needs more.
        """
        key = _features_key(layer, tile, who, {})
        if self.disk is not None or not has_zoom(layer, tile.z) or not self.cache.is_new(key):
            return None
        request, zoom = TileRequest(tile), stored_zoom(layer, tile.z)
        if zoom is not None and layer.id not in self._simplified:
            return None
        asked = question(self.database.dialect, layer, request, zoom)
        claim = None if asked is None else self.cache.claim(key)
        if asked is None or claim is None:
            return None
        limits = beyond_limits(self.database.dialect, known_source_of(layer), tile)
        return StartedTile(
            claim, asked, lambda: self._drawn_in_limits(layer, request, zoom), limits
        )

    def being_made(self, layer: Layer, tile: Tile, who: Principal) -> Future[DrawnTile] | None:
        """A tile without parameters, where somebody makes it just now."""
        return self.cache.being_made(_features_key(layer, tile, who, {}))

    def _drawn_in_limits(self, layer: Layer, request: TileRequest, zoom: int | None) -> DrawnTile:
        made = self._drawn(layer, request, zoom)
        if made.packed.body:
            return made
        limits = beyond_limits(self.database.dialect, known_source_of(layer), request.tile)
        ((beyond,),) = self.database.ask(*limits)
        return replace(made, packed=replace(made.packed, beyond=beyond))

    def _drawn(self, layer: Layer, request: TileRequest, zoom: int | None) -> DrawnTile:
        """`zoom`: the one whose simplified shapes are shown; None: polygons as they are."""
        if zoom is None:
            with self._making:
                found = self._at_once(layer, request, None)
                return found or self._in_snapshot(
                    layer, lambda connection, _: layer_tile(connection, layer, request)
                )
        with self._making:
            found = self._with_shapes(layer, request, zoom)
        if found is not None:
            return found
        # Those who wait here for the shapes hold up no tile of another layer.
        with self._simplifying[layer.id]:
            with self._making:
                found = self._with_shapes(layer, request, zoom)
            if found is not None:
                return found
            # Drawn in the very snapshot that was simplified, so that no writer outruns it.
            with simplifying(self.database, layer) as (connection, state):
                shapes = zoom if is_simplified(connection, layer, state) else None
                return DrawnTile(
                    state, PackedTile.of(layer_tile(connection, layer, request, shapes))
                )

    def _with_shapes(self, layer: Layer, request: TileRequest, zoom: int) -> DrawnTile | None:
        """A tile with the shapes of the state that it shows, or of polygons that are too many to be
        simplified; None where shapes have to be made.
        """
        if layer.id in self._simplified:
            found = self._at_once(layer, request, zoom)
            if found is not None:
                return found
        elif layer.id in self._too_large:
            found = self._at_once(layer, request, None)
            if found is not None and self._was_too_large(layer, found.state):
                return found
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
        """Whether it is known to have had too many polygons in this state."""
        if self._too_large.get(layer.id) != state:
            with self.database.snapshot() as connection:
                if is_too_large(connection, layer):
                    self._too_large[layer.id] = read_state(connection, layer.id)
        return self._too_large.get(layer.id) == state

    def _at_once(self, layer: Layer, request: TileRequest, shapes: int | None) -> DrawnTile | None:
        asked = question(self.database.dialect, layer, request, shapes)
        found = asked and asked.answer(self.database.ask(asked.sql, asked.values))
        return DrawnTile(found[0], PackedTile.of(found[1])) if found else None

    def kept_features(
        self,
        layer: Layer,
        tile: Tile,
        who: Principal,
        asked: Mapping[str, str],
        states: Mapping[str, LayerState],
    ) -> PackedTile | None:
        """The same, where it is at hand and known to be true of the states just read."""
        now = states.get(layer.id)
        key = _features_key(layer, tile, who, asked)
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
        self, layer: Layer, tile: Tile, who: Principal, question: HexQuery | None = None
    ) -> PackedTile:
        """A tile of a layer's measures by hex, as `who` may see them; `question` None: of all."""
        asked = HexRequest.by(who, layer, question or HexQuery(), self.k_anonymity)
        resolution = resolution_at(hex_options(layer), tile.z, asked.finest)

        def make(connection: Connection, state: LayerState) -> bytes:
            cells = cells_of(tile, resolution)
            table = self.hex_answers.table(connection, state, asked, resolution, cells)
            return hex_tile(connection, layer, tile, table)

        rest = (who.audience, asked.k, asked.question, resolution, layer.hexes)
        # What is hidden depends on other hexes, wherever they lie.
        key = _Key("hexes", tile, rest, id(layer), layer)
        now = self.states.of(layer.id)

        def in_turn() -> DrawnTile:
            with self._making:
                return self._in_snapshot(layer, make)

        return self._made(key, in_turn, now, None)

    def _changes(self, layer: Layer, tile: Tile) -> TouchedTiles:
        """Those that tell whether a tile of features is as it was."""
        return self.changes if stored_zoom(layer, tile.z) is None else self.border_changes

    def _made(
        self,
        key: _Key,
        make: Callable[[], DrawnTile],
        now: LayerState,
        changes: TouchedTiles | None,
    ) -> PackedTile:
        """`changes`: those of which one that does not meet the tile leaves it as it was; None:
        where what is drawn depends on rows anywhere.
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

        return self.cache.make(key, now, lambda: self._kept_on_disk(key, make, now))

    def _kept_on_disk(self, key: _Key, make: Callable[[], DrawnTile], now: LayerState) -> DrawnTile:
        if self.disk is None:
            return make()
        name = key.text
        found = self.disk.entry(name, now)
        if found is None:
            found = make()
            self.disk.keep(name, found)
        return found

    def _in_snapshot(self, layer: Layer, draw: Maker) -> DrawnTile:
        """One snapshot for the state and the rows, so that the state is true."""
        with self.database.snapshot() as connection:
            seen = read_state(connection, layer.id)
            return DrawnTile(seen, PackedTile.of(draw(connection, seen)))

    def _learn(
        self, changes: TouchedTiles, layer: Layer, made: LayerState, now: LayerState
    ) -> None:
        if changes.knows(layer.id, made.version, now.version):
            return
        with self.database.reading() as connection:
            far = changes is self.border_changes
            seen = partial(reach, connection, layer) if far else lambda box: box
            changes.learn(connection, layer.id, made.version, now.version, seen)


def _still_true(changes: TouchedTiles, kept: DrawnTile, now: LayerState, tile: Tile) -> bool:
    """Limits change from afar: an empty tile is made anew, which is soon done."""
    if not kept.packed.body or kept.state.day != now.day:
        return False
    return changes.untouched(now.layer_id, kept.state.version, now.version, tile.bbox())


def _features_key(layer: Layer, tile: Tile, who: Principal, asked: Mapping[str, str]) -> _Key:
    rest = (who.audience, tuple(sorted(asked.items())))
    return _Key("features", tile, rest, id(layer), layer)
