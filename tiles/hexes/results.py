"""Results: exact for principals who work with a layer, sums of shown numbers for the public."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection

from gis.access import Principal
from gis.errors import BadInput
from gis.hexes import EDGE_KM, Cells, resolution_of
from gis.population.store import Population, PopulationQuality
from layers.definition.model import HexOptions, Layer
from layers.storage.tables import has_hex_cover, size_measure
from tiles.grid import pixel_m
from tiles.hexes.public import PartKind, Parts, everything, parts_table, read_parts, read_tree
from tiles.hexes.queries import HexQuery, filter_resolution, require_answerable
from tiles.hexes.rights import hex_options, least_count
from tiles.hexes.sources import finest_counted
from tiles.hexes.suppression import CountsByResolution
from tiles.hexes.tables import HexTable, read_table, with_people
from tiles.hexes.trend import Trend, monthly_trend, weekly_trend
from tiles.state import LayerState

LEAST_PX = 16  # width of a hex on the screen, at least, where a coarser one is to be had
TOO_SMALL_PX = 8  # narrower ones are gathered in coarser hexes than the layer lists
_LATITUDE_STRETCH = 1.08  # of EPSG:3857 at 22° N, where most of the country lies or near it
_MOST_CACHED = 32


@dataclass(frozen=True, slots=True)
class HexRequest:
    """A query of a layer's hexes, and the k of k-anonymity, which follows from the principal."""

    layer: Layer
    question: HexQuery
    k: int

    @classmethod
    def by(
        cls, principal: Principal, layer: Layer, question: HexQuery, setting: int
    ) -> "HexRequest":
        """Raises BadInput for what the public may not ask."""
        k = least_count(layer, principal, setting)
        require_answerable(layer, question, k)
        return cls(layer, question, k)

    def measures(self, population: Population | None) -> tuple[str, ...]:
        """The names of what a hex of the answer may have."""
        options, hidden = hex_options(self.layer), self.k > 1
        size = size_measure(self.layer)
        is_approximate = (
            population is not None and population.quality is PopulationQuality.APPROXIMATE
        )
        return (
            "count",
            "per_km2",
            *([size.name] if size is not None and not hidden else []),
            *(["share"] if self.question.category is not None else []),
            *(["mean"] if options.measure is not None and not hidden else []),
            *(["partial"] if hidden and not self.question.is_everything else []),
            *(["per_1000"] if population is not None else []),
            *(["approximate"] if is_approximate else []),
        )

    @property
    def only(self) -> int | None:
        """The one resolution with an answer; None: there are several."""
        if self.k == 1 or not has_hex_cover(self.layer):
            return None
        return filter_resolution(hex_options(self.layer))

    @property
    def finest(self) -> int | None:
        """The finest resolution with an answer; None: all have one."""
        if self.only is None and (self.k == 1 or self.question.is_everything):
            return finest_counted(self.layer)
        return filter_resolution(hex_options(self.layer))

    def answers_at(self, resolution: int) -> bool:
        """True where the layer has hexes of this resolution that the principal may see."""
        if self.only is not None:
            return resolution == self.only
        return self.finest is None or resolution <= self.finest

    def require_resolution(self, resolution: int) -> None:
        """Raises BadInput where nothing is counted, or where the answer would have to be hidden."""
        if self.answers_at(resolution):
            return
        of = f"hexes of {self.layer.id}"
        hidden = f"not at {resolution}: fewer than {self.k} records are hidden"
        if self.only is not None:
            raise BadInput(f"{of} are shown at resolution {self.only} alone, {hidden}")
        if self.k == 1 or self.question.is_everything:
            raise BadInput(
                f"{of} are counted up to resolution {self.finest}, not at {resolution}: the layer "
                "file lists its `resolutions`"
            )
        raise BadInput(
            f"by category or month, {of} are shown up to resolution {self.finest}, {hidden}"
        )

    def resolution_at(self, z: int) -> int:
        """The resolution of hexes on tiles of a zoom."""
        return self.only or resolution_at(hex_options(self.layer), z, self.finest)


def resolution_at(options: HexOptions, z: int, finest: int | None = None) -> int:
    """The finest resolution of a layer whose hexes are still LEAST_PX wide, or its coarsest;
    where that would be narrower than TOO_SMALL_PX, a coarser one.
    """
    width_px = {r: 2 * EDGE_KM[r] * 1000 * _LATITUDE_STRETCH / pixel_m(z) for r in EDGE_KM}
    listed = [r for r in options.resolutions if finest is None or r <= finest]
    listed = listed or [finest or min(options.resolutions)]
    fitting = [r for r in listed if width_px[r] >= LEAST_PX]
    chosen = max(fitting, default=min(listed))
    visible = [r for r in EDGE_KM if r <= chosen and width_px[r] >= TOO_SMALL_PX]
    return max(visible, default=min(EDGE_KM))


class HexResults:
    """Results; the public counts of a layer are cached for its state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: LRUCache[Hashable, Any] = LRUCache(_MOST_CACHED)

    def table(
        self,
        connection: Connection,
        state: LayerState,
        request: HexRequest,
        resolution: int,
        cells: Cells | None = None,
    ) -> HexTable:
        """The hexes that have records, among `cells` of a resolution; None: among all.

        `state` is the layer's as the snapshot `connection` sees it. Raises BadInput where hexes so
        small are not shown for this question.
        """
        request.require_resolution(resolution)
        if request.k == 1:
            table = read_table(connection, request.layer, request.question, resolution, cells)
        else:
            table = self._public(connection, state, request, resolution).within(cells)
        return with_people(connection, table)

    def trend(
        self, connection: Connection, state: LayerState, request: HexRequest, cell: int, today: date
    ) -> Trend | None:
        """The trend of a cell; None where the public may see no months of it."""
        resolution = resolution_of(cell)
        if request.k == 1:
            return weekly_trend(connection, request.layer, cell, today)
        if resolution != filter_resolution(hex_options(request.layer)):
            return None
        return monthly_trend(self._parts(connection, state, request, PartKind.MONTHS), cell, today)

    def _public(
        self, connection: Connection, state: LayerState, request: HexRequest, resolution: int
    ) -> HexTable:
        question = request.question
        if question.is_everything:
            return everything(self._tree(connection, state, request, resolution), resolution)
        parts = self._parts(connection, state, request, PartKind.of(question))
        filtered = filter_resolution(hex_options(request.layer))
        tree = self._tree(connection, state, request, filtered)
        return parts_table(tree, parts, question, resolution, filtered)

    def _tree(
        self, connection: Connection, state: LayerState, request: HexRequest, resolution: int
    ) -> CountsByResolution:
        layer, k = request.layer, request.k
        key = (layer.id, layer.hexes, state.stamp, k, resolution)
        return self._once(key, lambda: read_tree(connection, layer, resolution, k))

    def _parts(
        self, connection: Connection, state: LayerState, request: HexRequest, kind: PartKind
    ) -> Parts:
        layer, k = request.layer, request.k
        filtered = filter_resolution(hex_options(layer))
        tree = self._tree(connection, state, request, filtered)
        key = (layer.id, layer.hexes, state.stamp, k, kind)
        return self._once(key, lambda: read_parts(connection, layer, kind, tree, k))

    def _once[T](self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._cache:
                cached: T = self._cache[key]
                return cached
        computed = make()
        with self._lock:
            self._cache[key] = computed
        return computed
