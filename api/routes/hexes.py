"""Hexes as vector tiles, and everything about one hex."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, text

from api.dependencies import Caller, UsedCatalogue, UsedDatabase, UsedSettings, UsedTiles
from api.ogc.negotiation import only_known
from api.tile_responses import tile_response
from gis.access import Principal
from gis.alerts.visibility import desk_layers
from gis.clock import HERE
from gis.errors import BadInput
from gis.hexes import COARSEST, FINEST, areas_km2, boundaries, cell_of, cell_text, resolution_of
from gis.placing.reference import stored_territory
from gis.population.store import people_of, stored_population
from layers.definition.catalogue import Catalogue
from tiles.grid import Tile
from tiles.hexes import (
    HexQuery,
    HexRequest,
    HexResults,
    hex_query,
    hexed,
    with_hexes,
)
from tiles.state import LayerState, read_states

router = APIRouter(prefix="/hexes", tags=["hexes"])

Category = Annotated[str | None, Query(description="Only records of this category")]
Window = Annotated[
    str | None,
    Query(
        alias="datetime", description="Only records of these days, such as 2026-03-01/2026-03-31"
    ),
]


@router.get("/{layer_id}/{z}/{x}/{y}.mvt")
@router.get("/{layer_id}/{z}/{x}/{y}.pbf", include_in_schema=False)
def hex_tile(
    layer_id: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    caller: Caller,
    category: Category = None,
    window: Window = None,
) -> Response:
    """A tile of hexes with their records, rates by area and inhabitants, share of a category, mean.

    The public sees no hex with fewer than k records, nor anything such could be computed from.
    """
    only_known(request, ("category", "datetime"))
    layer = hexed(catalogue, caller, layer_id)
    question = hex_query(layer, category, window)
    # No limits: they would show where hexes lie that are not shown.
    packed = server.hexes(layer, Tile(z, x, y), caller, question)
    return tile_response(request, packed, server.cache)


@router.get("/{cell}")
def hex_facts(
    cell: str,
    database: UsedDatabase,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """A cell: its commune, outline, inhabitants, measures and trend by layer, hotspots, alerts.

    A count that is None may not be shown: it stands for none, or for fewer records than the public
    may see; or lines and areas are not counted by hexes so small. Without a key the trend is by
    months, and only where a layer answers months.
    """
    number = counted_cell(cell)
    readable = [layer.id for layer in catalogue.readable(caller)]
    with database.snapshot() as connection:
        layers = _layers(connection, number, server.hex_answers, catalogue, settings, caller)
        place = {"cell": number, "resolution": resolution_of(number), "layers": readable}
        alerts = connection.execute(_ALERTS, place | {"desk": desk_layers(caller, readable)})
        return {
            **_place(connection, number),
            "counts": {name: facts["count"] for name, facts in layers.items()},
            "layers": layers,
            "hotspots": [dict(row._mapping) for row in connection.execute(_HOTSPOTS, place)],
            "alerts": [dict(row._mapping) for row in alerts],
            "population": _population(connection, number),
        }


def counted_cell(text_of_cell: str) -> int:
    """Raises BadInput for what is no cell, or for a resolution at which nothing is counted."""
    number = cell_of(text_of_cell)
    resolution = resolution_of(number)
    if not COARSEST <= resolution <= FINEST:
        raise BadInput(
            f"{text_of_cell} has resolution {resolution}: counts are stored from {COARSEST} to "
            f"{FINEST}"
        )
    return number


def _place(connection: Connection, cell: int) -> dict[str, Any]:
    (ring,) = boundaries([cell])
    return {
        "cell": cell_text(cell),
        "resolution": resolution_of(cell),
        "area_km2": round(float(areas_km2(np.array([cell]))[0]), 6),
        "commune": stored_territory(connection).commune_of(cell),
        "outline": [list(point) for point in ring.exterior.coords],
    }


def _population(connection: Connection, cell: int) -> dict[str, Any] | None:
    """The inhabitants of a cell and where they are from; None where none are loaded."""
    population = stored_population(connection)
    if population is None:
        return None
    (people,) = people_of(connection, np.array([cell]))
    return {**asdict(population), "people": round(float(people), 1)}


def _layers(
    connection: Connection,
    cell: int,
    answers: HexResults,
    catalogue: Catalogue,
    settings: UsedSettings,
    caller: Principal,
) -> dict[str, dict[str, Any]]:
    counted = with_hexes(caller, catalogue.layers)
    states = read_states(connection, [layer.id for layer in counted])
    today = datetime.now(HERE).date()
    return {
        layer.id: _facts(
            connection,
            states[layer.id],
            HexRequest.by(caller, layer, HexQuery(), settings.k_anonymity),
            answers,
            cell,
            today,
        )
        for layer in counted
        if layer.id in states
    }


def _facts(
    connection: Connection,
    state: LayerState,
    hex_request: HexRequest,
    answers: HexResults,
    cell: int,
    today: date,
) -> dict[str, Any]:
    if not hex_request.answers_at(resolution_of(cell)):
        return {"count": None, "trend": None}
    only = np.array([cell])
    table = answers.table(connection, state, hex_request, resolution_of(cell), only)
    nothing = {"count": 0 if hex_request.k == 1 else None}
    measures = dict(next(iter(table.measures()), nothing))
    trend = answers.trend(connection, state, hex_request, cell, today)
    return {**measures, "trend": None if trend is None else asdict(trend)}


# A hotspot or an alert is shown in its own hexes, of those within them and of those around them.
_TOUCHES = """gis.h3_parent(place.cell, least(gis.h3_resolution(place.cell), :resolution))
  = gis.h3_parent(:cell, least(gis.h3_resolution(place.cell), :resolution))"""
_HOTSPOTS = text(f"""
SELECT run.layer_id AS of_layer, gis.h3_text(place.cell) AS cell, run.method, place.count,
       place.expected, place.z, place.p, place.q
FROM gis.hotspot AS place JOIN gis.run_in_force AS run ON run.id = place.run_id
WHERE run.valid_to IS NULL AND run.layer_id = ANY(:layers) AND {_TOUCHES}
ORDER BY run.layer_id, place.q, place.cell
""")  # noqa: S608 (no part comes from outside)
_ALERTS = text(f"""
SELECT id, layer_id, status, severity, headline_vi, headline_en FROM gis.alert
WHERE status IN ('open', 'acknowledged') AND layer_id = ANY(:layers) AND NOT gis.is_internal(rule)
  AND (layer_id = ANY(:desk) OR id IN (SELECT id FROM gis.published_alert))
  AND EXISTS (SELECT FROM unnest(cells) AS place (cell) WHERE {_TOUCHES})
ORDER BY id
""")  # noqa: S608 (no part comes from outside)
