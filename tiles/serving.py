"""Tiles as they are served: made once for each state of a layer, and never from an older one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gis.access import Principal
from gis.database.engine import Database
from layers.items import Query
from layers.model import Layer
from tiles.cache import Made, Packed, TileCache
from tiles.coverage import is_simplified, simplify, stored_zoom
from tiles.grid import Tile
from tiles.hexes import (
    Asked,
    HexAnswers,
    HexQuestion,
    cells_of,
    hex_options,
    hex_tile,
    resolution_at,
)
from tiles.mvt import TileRequest, layer_tile
from tiles.state import LayerState, read_state

type Maker = Callable[[Connection, LayerState], bytes]


@dataclass(frozen=True)
class TileServer:
    """Makes tiles from a database and keeps them."""

    database: Database
    k_anonymity: int
    cache: TileCache = field(default_factory=TileCache)
    hex_answers: HexAnswers = field(default_factory=HexAnswers)

    def features(
        self,
        layer: Layer,
        tile: Tile,
        who: Principal,
        asked: Mapping[str, str],
        read: Callable[[], tuple[Query, tuple[str, ...] | None]],
    ) -> Packed:
        """A tile of a layer's features. `asked` are the parameters, part of the key; `read` gives
        the query and the fields that they mean, and raises what is wrong with them.
        """
        query, fields = read()
        request = TileRequest(tile, query, fields)
        zoom = stored_zoom(layer, tile.z)
        if zoom is not None:
            self._simplify(layer)

        def make(connection: Connection, state: LayerState) -> bytes:
            ready = zoom is not None and is_simplified(connection, state)
            return layer_tile(connection, layer, request, zoom if ready else None)

        parameters = tuple(sorted(asked.items()))
        return self._made("features", layer, tile, (who.audience, parameters), make)

    def hexes(
        self, layer: Layer, tile: Tile, who: Principal, question: HexQuestion | None = None
    ) -> Packed:
        """A tile of a layer's measures by hex, as `who` may see them; `question` None: of all."""
        asked = Asked.by(who, layer, question or HexQuestion(), self.k_anonymity)
        resolution = resolution_at(hex_options(layer), tile.z, asked.finest)

        def make(connection: Connection, state: LayerState) -> bytes:
            cells = cells_of(tile, resolution)
            table = self.hex_answers.table(connection, state, asked, resolution, cells)
            return hex_tile(connection, layer, tile, table)

        rest = (who.audience, asked.k, asked.question, resolution, layer.hexes)
        return self._made("hexes", layer, tile, rest, make)

    def _made(self, kind: str, layer: Layer, tile: Tile, rest: object, maker: Maker) -> Packed:
        with self.database.reading() as connection:
            state = read_state(connection, layer.id)

        def make() -> Made:
            """One snapshot for the state and the rows, so that the key is true."""
            with self.database.snapshot() as connection:
                seen = read_state(connection, layer.id)
                packed = Packed.of(maker(connection, seen))
            return Made((kind, layer.id, seen.stamp, tile, rest), packed)

        return self.cache.get((kind, layer.id, state.stamp, tile, rest), make)

    def _simplify(self, layer: Layer) -> None:
        with self.database.reading() as connection:
            ready = is_simplified(connection, read_state(connection, layer.id))
        if not ready:
            simplify(self.database, layer)
