"""Hotspot runs: a layer's rows in the window → significant hexes → alerts, in one transaction."""

import importlib.metadata
from dataclasses import dataclass
from datetime import datetime, timedelta

import h3
import numpy as np
import orjson
import pandas as pd
from sqlalchemy import Connection, func, select, text

from gis.alerts.hotspots import AlertChanges, HotCell, HotspotEvidence, apply_evidence
from gis.analysis.hotspots import hex_hotspots
from gis.database.engine import Database
from gis.errors import BadInput
from gis.placing.stored import Territory, stored_territory
from layers.model import HotspotOptions, Layer
from layers.tables import table_of

# Coarser places count in their commune; as points they would make hotspots of their own.
MAX_PRECISION_M = 500.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run read, found and did."""

    run_id: int
    layer_id: str
    until: datetime
    cells: int  # of the domain
    records: int
    left_out: int  # default points and coarse places
    hot: int
    alerts: AlertChanges


@dataclass(frozen=True, slots=True)
class _Window:
    counts: dict[int, int]
    records: int
    left_out: int
    simulated: bool


def run_hotspots(database: Database, layer: Layer, until: datetime) -> RunReport:
    """Find the layer's hotspots in the window that ends at `until`, and keep its alerts.

    The run stores the version of its input, its parameters and the version of this code.
    Raises BadInput for a layer without a section `hotspots`, or without boundaries.
    """
    if layer.hotspots is None:
        raise BadInput(f"layer {layer.id} has no section `hotspots` in its file")
    with database.writing() as connection:
        connection.execute(_ONE_AT_A_TIME, {"layer": layer.id})
        territory = stored_territory(connection)
        window = _counts(connection, layer, layer.hotspots, until)
        found = _analyse(territory, window, layer.hotspots)
        hot = _hot_cells(found[found["hot"]], territory)
        run_id = _store_run(connection, layer, layer.hotspots, until, window)
        _store_cells(connection, run_id, hot)
        evidence = _evidence(layer, run_id, until, territory.official, window.simulated, hot)
        alerts = apply_evidence(connection, evidence) if evidence else _NO_ALERTS
    return RunReport(
        run_id=run_id,
        layer_id=layer.id,
        until=until,
        cells=len(found),
        records=window.records,
        left_out=window.left_out,
        hot=len(hot),
        alerts=alerts,
    )


_NO_ALERTS = AlertChanges((), (), ())
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('hotspots ' || :layer, 0))")


def _counts(
    connection: Connection, layer: Layer, options: HotspotOptions, until: datetime
) -> _Window:
    """Rows of the window by hex; default points and coarse places are left out, and counted."""
    rows = table_of(layer)
    sharp = (
        rows.c.h3.is_not(None)
        & ~rows.c.default_point
        & (func.coalesce(rows.c.place_precision_m, 0.0) <= MAX_PRECISION_M)
    )
    inside = (rows.c.valid_at > until - timedelta(days=options.window_days)) & (
        rows.c.valid_at <= until
    )
    cell = func.gis.h3_parent(rows.c.h3, options.resolution).label("cell")
    by_cell = connection.execute(
        select(cell, func.count().label("n")).where(inside & sharp).group_by(cell)
    )
    counts = {row.cell: row.n for row in by_cell}
    simulated = rows.c.provenance["simulated"].as_boolean()
    total, mock = connection.execute(
        select(func.count(), func.coalesce(func.bool_or(simulated), False)).where(inside)
    ).one()
    records = sum(counts.values())
    return _Window(counts, records, total - records, mock)


def _analyse(territory: Territory, window: _Window, options: HotspotOptions) -> pd.DataFrame:
    """The whole province is the domain, zeros included, with any cell that was counted."""
    counted = np.fromiter(window.counts, np.uint64, len(window.counts))
    cells = np.union1d(territory.cells(options.resolution), counted)
    values = np.zeros(len(cells), np.int64)
    values[np.searchsorted(cells, counted)] = list(window.counts.values())
    found: pd.DataFrame = hex_hotspots(cells, values, k=options.disk, alpha=options.alpha)
    return found


def _store_run(
    connection: Connection,
    layer: Layer,
    options: HotspotOptions,
    until: datetime,
    window: _Window,
) -> int:
    values = {
        "layer": layer.id,
        "method": options.method,
        "parameters": options.model_dump_json(),
        "until": until,
        "code": importlib.metadata.version("gis-ioc"),
        "cleaning": orjson.dumps({"used": window.records, "left_out": window.left_out}).decode(),
    }
    run_id: int = connection.execute(_INSERT_RUN, values).scalar_one()
    return run_id


_INSERT_RUN = text("""
INSERT INTO gis.hotspot_run (layer_id, method, parameters, input_version, input_until,
                             code_version, cleaning)
SELECT :layer, :method, CAST(:parameters AS jsonb), version, :until, :code,
       CAST(:cleaning AS jsonb)
FROM gis.layer WHERE id = :layer
RETURNING id
""")

# One statement, so that the version of the layer `hotspots` rises once.
_INSERT_CELLS = text("""
INSERT INTO gis.hotspot (run_id, cell, geom, commune, count, expected, z, p, q, edge)
SELECT :run, hex.cell, ST_GeomFromText(hex.wkt, 4326), hex.commune, hex.count, hex.expected,
       hex.z, hex.p, hex.q, hex.edge
FROM jsonb_to_recordset(CAST(:hexes AS jsonb)) AS hex (
  cell bigint, wkt text, commune text, count int, expected float8, z float8, p float8, q float8,
  edge boolean)
""")


def _hot_cells(hot: pd.DataFrame, territory: Territory) -> list[HotCell]:
    communes = territory.communes_of(hot["cell"].to_numpy())
    return [
        HotCell(
            cell=int(row["cell"]),
            commune=commune,
            count=int(row["count"]),
            neighbourhood_count=int(row["neighbours_count"]),
            neighbourhood_expected=float(row["expected"]),
            z=None if np.isnan(row["z"]) else float(row["z"]),
            p=float(row["p"]),
            q=float(row["q"]),
            edge=bool(row["edge"]),
        )
        for row, commune in zip(hot.to_dict("records"), communes, strict=True)
    ]


def _store_cells(connection: Connection, run_id: int, hot: list[HotCell]) -> None:
    hexes = [
        {
            "cell": one.cell,
            "wkt": _hexagon(one.cell),
            "commune": one.commune,
            "count": one.count,
            "expected": one.neighbourhood_expected,
            "z": one.z,
            "p": one.p,
            "q": one.q,
            "edge": one.edge,
        }
        for one in hot
    ]
    connection.execute(_INSERT_CELLS, {"run": run_id, "hexes": orjson.dumps(hexes).decode()})


def _evidence(
    layer: Layer,
    run_id: int,
    until: datetime,
    official: bool,
    simulated: bool,
    hot: list[HotCell],
) -> HotspotEvidence | None:
    """What the rule of the layer's alerts goes by; None for a layer without one."""
    rule, options = layer.alerts, layer.hotspots
    if rule is None or options is None:
        return None
    return HotspotEvidence(
        layer_id=layer.id,
        title_vi=layer.title.vi,
        title_en=layer.title.en,
        run_id=run_id,
        until=until,
        window_days=options.window_days,
        min_count=rule.min_count,
        severity=rule.severity,
        quiet_days=rule.quiet_days,
        official=official,
        simulated=simulated,
        cells=tuple(hot),
    )


def _hexagon(cell: int) -> str:
    ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(h3.int_to_str(cell))]
    return f"POLYGON(({', '.join(f'{lon:.7f} {lat:.7f}' for lon, lat in [*ring, ring[0]])}))"
