"""Everything about one hex."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, text

from api.dependencies import Caller, Reader, UsedCatalogue, UsedSettings
from api.routes.tiles import UsedTiles
from gis.errors import BadInput
from gis.hexes import COARSEST, FINEST, boundaries, cell_of, cell_text, resolution_of
from gis.placing.stored import stored_territory
from tiles.hexes import least_count
from tiles.state import read_states

router = APIRouter(prefix="/hexes", tags=["hexes"])


@router.get("/{cell}")
def hex_facts(
    cell: str,
    connection: Reader,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """A cell: its commune, its outline, counts by layer, hotspots and alerts in it.

    A count that is None may not be shown: it stands for fewer records than the public may see.
    """
    number = cell_of(cell)
    resolution = resolution_of(number)
    if not COARSEST <= resolution <= FINEST:
        raise BadInput(
            f"{cell} has resolution {resolution}: counts are kept from {COARSEST} to {FINEST}"
        )
    readable = catalogue.readable(caller)
    counted = [layer for layer in readable if layer.hexes is not None]
    states = read_states(connection, [layer.id for layer in counted])
    counts = {}
    for layer in counted:
        if layer.id in states:
            k = least_count(layer, caller, settings.k_anonymity)
            shown = server.counts.read(connection, states[layer.id], k)
            counts[layer.id] = shown.get(resolution, {}).get(number)
    (ring,) = boundaries([number])
    ids = [layer.id for layer in readable]
    return {
        "cell": cell_text(number),
        "resolution": resolution,
        "commune": stored_territory(connection).commune_of(number),
        "outline": [list(point) for point in ring.exterior.coords],
        "counts": counts,
        "hotspots": _hotspots(connection, number, ids),
        "alerts": _alerts(connection, number, ids),
    }


def _hotspots(connection: Connection, cell: int, layers: list[str]) -> list[dict[str, Any]]:
    rows = connection.execute(_HOTSPOTS, {"cell": cell, "layers": layers})
    return [dict(row._mapping) for row in rows]


def _alerts(connection: Connection, cell: int, layers: list[str]) -> list[dict[str, Any]]:
    rows = connection.execute(_ALERTS, {"cell": cell, "layers": layers})
    return [dict(row._mapping) for row in rows]


_HOTSPOTS = text(
    "SELECT of_layer, count, expected, z, p, q FROM layer.hotspots"
    " WHERE cell = gis.h3_text(:cell) AND valid_to IS NULL AND of_layer = ANY(:layers)"
)
_ALERTS = text(
    "SELECT id, layer_id, status, severity, headline_vi, headline_en FROM gis.alert"
    " WHERE :cell = ANY(cells) AND layer_id = ANY(:layers) AND status <> 'resolved'"
)
