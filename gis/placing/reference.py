"""Reference data of placing and hotspots: the units in force, with a cache in memory.

The cache is keyed by the version of the units and the day, so that a change of units counts at
once, and a decree from its first day.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import shapely
from sqlalchemy import Connection, text

from gis.access import ANONYMOUS, Principal
from gis.boundaries.store import read_history
from gis.boundaries.units import BoundaryQuality, UnitHistory
from gis.errors import BadInput
from gis.placing.addresses import AddressResolver
from gis.placing.cells import CellTable, cached_cell_table, digest_of
from gis.placing.layer_gazetteer import gazetteer_for
from gis.placing.placer import Placer

if TYPE_CHECKING:
    import geopandas as gpd

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Territory:
    """The province on one version of its units, with the tables that are costly to build.

    `placed_on` is a digest of all polygons that points are placed on.
    """

    quality: BoundaryQuality
    placed_on: str
    table: CellTable
    outline: shapely.Geometry
    history: UnitHistory
    resolver: AddressResolver
    former: dict[date, CellTable]  # of old communes, by the first day after their end
    _cells: dict[int, Cells] = field(default_factory=dict)

    @property
    def official(self) -> bool:
        return self.quality is BoundaryQuality.OFFICIAL

    def holds(self, lon: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
        """Mask of the points (degrees, WGS 84) that lie in the province."""
        return self.table.assign(lon, lat) >= 0

    def cells(self, resolution: int) -> Cells:
        """The hexes whose centre lies in the province, sorted; shape (n,), uint64."""
        if resolution not in self._cells:
            cells = h3ronpy.vector.geometry_to_cells(self.outline, resolution)
            self._cells[resolution] = np.sort(np.asarray(cells, np.uint64))
        return self._cells[resolution]

    def commune_of(self, cell: int) -> str | None:
        """The commune at the centre of a cell, None outside."""
        return self.communes_of(np.array([cell], np.uint64))[0]

    def communes_of(self, cells: Cells) -> list[str | None]:
        """The commune at the centre of each cell, None outside."""
        centres = h3ronpy.vector.cells_to_coordinates(cells)
        lon, lat = np.asarray(centres["lng"]), np.asarray(centres["lat"])
        return [self.table.codes[i] if i >= 0 else None for i in self.table.assign(lon, lat)]


_territories: dict[tuple[str, int, date], Territory] = {}


def stored_territory(connection: Connection) -> Territory:
    """The units in force. Raises BadInput when no boundaries are loaded."""
    state = connection.execute(_STATE).one_or_none()
    if state is None:
        raise BadInput("no boundaries are loaded: run `gis boundaries load`")
    key = (state.digest, state.version, state.day)
    if key not in _territories:
        fresh = _read_territory(connection, BoundaryQuality(state.quality))
        _territories.clear()
        _territories[key] = fresh
    return _territories[key]


_STATE = text("""
SELECT digest, quality, gis.today() AS day,
       coalesce((SELECT version FROM gis.layer WHERE id = 'communes'), 0) AS version
FROM gis.boundary_state
""")


def read_current_communes(connection: Connection) -> "gpd.GeoDataFrame":
    """Communes of today: columns code, name, full_name, geometry (EPSG:4326)."""
    import geopandas as gpd

    sql = text("SELECT code, name, full_name, geom AS geometry FROM layer.communes ORDER BY code")
    return gpd.read_postgis(sql, connection, geom_col="geometry")


def stored_placer(connection: Connection, today: date, principal: Principal = ANONYMOUS) -> Placer:
    """A placer over the units in force, with the places of layers that the principal may read.

    Raises BadInput when no boundaries are loaded.
    """
    return placer_on(stored_territory(connection), connection, today, principal)


def placer_on(
    territory: Territory, connection: Connection, today: date, principal: Principal = ANONYMOUS
) -> Placer:
    """A placer over these units, with the places of layers that the principal may read."""
    return Placer(
        territory.history,
        territory.table,
        territory.resolver,
        gazetteer_for(connection, principal, territory.table, territory.placed_on),
        today=today,
        former=territory.former,
    )


def _read_territory(connection: Connection, quality: BoundaryQuality) -> Territory:
    communes = read_current_communes(connection)
    history = read_history(connection)
    former = _read_former(connection)
    return Territory(
        quality=quality,
        placed_on=_placed_on(communes, former),
        table=cached_cell_table(connection, communes),
        outline=shapely.union_all(communes.geometry.to_numpy()),
        history=history,
        resolver=AddressResolver(history),
        former={end: cached_cell_table(connection, polygons) for end, polygons in former.items()},
    )


def _placed_on(communes: "gpd.GeoDataFrame", former: "dict[date, gpd.GeoDataFrame]") -> str:
    parts = [
        digest_of(communes),
        *(f"{end}{digest_of(polygons)}" for end, polygons in former.items()),
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _read_former(connection: Connection) -> "dict[date, gpd.GeoDataFrame]":
    """Old communes whose polygons an operator loaded, by the first day after their end."""
    import geopandas as gpd

    sql = text(
        "SELECT code, valid_to, geom AS geometry FROM gis.admin_unit"
        " WHERE level = 'commune' AND valid_to <= gis.today() AND geom IS NOT NULL ORDER BY code"
    )
    frame = gpd.read_postgis(sql, connection, geom_col="geometry")
    return {end: polygons.reset_index(drop=True) for end, polygons in frame.groupby("valid_to")}
