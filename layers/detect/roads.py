"""The roads beside records, for scans of stretches, from a layer of roads that is public."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely
from sqlalchemy import Connection, column, func, select, table, text

from gis.placing.road_kilometres import RoadLine
from gis.placing.road_positions import RoadIndex
from layers.definition.model import RoadOptions
from layers.detect.observations import Observations
from layers.storage.tables import SCHEMA

_kept: dict[tuple[str, str], tuple[object, RoadIndex]] = {}  # by database and layer


def beside_roads(
    connection: Connection, records: Observations, options: RoadOptions | None
) -> Observations:
    """The records with the columns `road` (empty: beside none), `road_part`, `road_m` and `road_km`
    (see RoadPositions; `road_km`: its kilometres are known). As they are without roads.
    """
    roads = None if options is None else _roads(connection, options.layer)
    if options is None or roads is None:
        return records
    rows = records.rows
    lon, lat = (rows[name].to_numpy(float) for name in ("lon", "lat"))
    found = roads.positions(lon, lat, options.within_m)
    rows = rows.assign(
        road=found.road, road_part=found.part, road_m=found.metre, road_km=found.is_known
    )
    return replace(records, rows=rows)


def _roads(connection: Connection, layer_id: str) -> RoadIndex | None:
    """The roads of a layer of lines with a gazetteer; None unless it is public and has a row."""
    layer = connection.execute(_LAYER, {"layer": layer_id}).one_or_none()
    if layer is None:
        return None
    key, stamp = (layer.database, layer_id), (layer.version, layer.transaction)
    known = _kept.get(key)
    if known is None or known[0] != stamp:
        known = _kept[key] = (stamp, _read(connection, layer_id, layer.gazetteer))
    return known[1] if known[1].parts else None


# Words of alerts are read by whoever may read their layer, so no road of a closed one is named.
_LAYER = text("""
SELECT current_database() AS database, l.version, l.xmin::text AS transaction,
       l.definition -> 'gazetteer' AS gazetteer
FROM gis.layer l
WHERE l.id = :layer AND l.published AND gis.is_public(l.id)
  AND to_regclass(format('layer.%I', l.id)) IS NOT NULL
  AND l.definition ->> 'geometry' = 'line' AND jsonb_typeof(l.definition -> 'gazetteer') = 'object'
""")


def _read(connection: Connection, layer_id: str, gazetteer: Mapping[str, Any]) -> RoadIndex:
    aliases = gazetteer.get("aliases") or []
    names = [gazetteer["name"], *([aliases] if isinstance(aliases, str) else aliases)]
    start = gazetteer.get("km")
    columns = dict.fromkeys([*names, *([start] if start else [])])
    roads = table(layer_id, column("id"), column("geom"), *map(column, columns), schema=SCHEMA)
    shape = func.ST_AsBinary(roads.c.geom).label("shape")
    chosen = select(*(roads.c[name] for name in columns), shape).where(roads.c.geom.is_not(None))
    rows = connection.execute(chosen.order_by(roads.c.id))
    return RoadIndex.of(line for row in rows for line in _lines(row._asdict(), names, start))


def _lines(
    row: Mapping[str, Any], names: Sequence[str], start: str | None
) -> Iterator[tuple[list[str], RoadLine]]:
    """The lines of a row; where it has several, nobody knows the kilometre at which each starts."""
    given = [str(row[name]) for name in names if row[name] is not None]
    merged = shapely.line_merge(shapely.from_wkb(bytes(row["shape"])), directed=True)
    parts = [one for one in shapely.get_parts(merged) if one.length > 0]
    km = None if start is None or len(parts) != 1 else row[start]
    for part in parts:
        yield given, RoadLine(part, None if km is None else float(km))
