"""The rule `hotspot`: a cluster of significant hexes opens an alert, and keeps it up to date.

Neighbouring hot hexes are one cluster. A cluster that shares a hex with a live alert, or touches
it, is more evidence of that alert; else it opens a new one. An alert without a cluster for
`quiet_days` is over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import h3
import orjson
from sqlalchemy import Connection, text

from gis.alerts.states import Status
from gis.alerts.store import note_event

RULE = "hotspot"
_SERVICE = "service"


@dataclass(frozen=True, slots=True)
class HotCell:
    """A significant hex: its cell as an integer, what was counted in it and in its neighbourhood,
    what was expected there, and its z (None without spread), p and q.
    """

    cell: int
    commune: str | None
    count: int
    neighbourhood_count: int
    neighbourhood_expected: float
    z: float | None
    p: float
    q: float
    edge: bool


@dataclass(frozen=True, slots=True)
class HotspotEvidence:
    """What one run found for one layer, and how to speak of it."""

    layer_id: str
    title_vi: str
    title_en: str
    run_id: int
    until: datetime
    window_days: int
    min_count: int
    severity: str
    quiet_days: int
    official: bool
    simulated: bool
    cells: tuple[HotCell, ...]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    opened: tuple[int, ...]
    updated: tuple[int, ...]
    closed: tuple[int, ...]


def apply_evidence(connection: Connection, found: HotspotEvidence) -> AlertChanges:
    """Open, update and close the alerts of a layer, inside the caller's transaction."""
    live = _live_alerts(connection, found.layer_id)
    opened, updated = [], []
    for cluster in clusters(found.cells):
        if sum(hot.count for hot in cluster) < found.min_count:
            continue
        alert_id = _same_alert(live, cluster)
        if alert_id is None:
            opened.append(_open(connection, found, cluster))
        else:
            _update(connection, found, cluster, alert_id)
            updated.append(alert_id)
    closed = _close_quiet(connection, found, keep=[*opened, *updated])
    return AlertChanges(tuple(opened), tuple(updated), tuple(closed))


def clusters(cells: Iterable[HotCell]) -> list[tuple[HotCell, ...]]:
    """Hexes that touch each other, together; the cluster with most records first."""
    waiting = {hot.cell: hot for hot in cells}
    found = []
    while waiting:
        border = [waiting.popitem()[1]]
        cluster = []
        while border:
            hot = border.pop()
            cluster.append(hot)
            border += [waiting.pop(cell) for cell in _disk(hot.cell) if cell in waiting]
        found.append(tuple(sorted(cluster, key=lambda hot: hot.cell)))
    return sorted(found, key=lambda cluster: (-_total(cluster), cluster[0].cell))


def headline(found: HotspotEvidence, cluster: Sequence[HotCell]) -> tuple[str, str]:
    """What a duty officer reads first, in Vietnamese and English, made from the numbers."""
    peak = max(cluster, key=lambda hot: (hot.neighbourhood_count, -hot.cell))
    expected = f"{peak.neighbourhood_expected:.1f}"
    vi = (
        f"{found.title_vi}: {peak.neighbourhood_count} bản ghi quanh một ô trong "
        f"{found.window_days} ngày, bình thường {expected.replace('.', ',')}"
    )
    en = (
        f"{found.title_en}: {peak.neighbourhood_count} records around one hex in "
        f"{found.window_days} days, normally {expected}"
    )
    return vi, en


def _total(cluster: Sequence[HotCell]) -> int:
    return sum(hot.count for hot in cluster)


def _disk(cell: int) -> list[int]:
    return [h3.str_to_int(near) for near in h3.grid_disk(h3.int_to_str(cell), 1)]


def _live_alerts(connection: Connection, layer_id: str) -> dict[int, set[int]]:
    rows = connection.execute(
        text(
            "SELECT id, cells FROM gis.alert"
            " WHERE layer_id = :layer AND rule = :rule"
            " AND status IN ('open', 'acknowledged') FOR UPDATE"
        ),
        {"layer": layer_id, "rule": RULE},
    )
    return {row.id: set(row.cells) for row in rows}


def _same_alert(live: dict[int, set[int]], cluster: Sequence[HotCell]) -> int | None:
    """The oldest live alert that the cluster shares a hex with or touches."""
    near = {cell for hot in cluster for cell in _disk(hot.cell)}
    return next((alert_id for alert_id in sorted(live) if live[alert_id] & near), None)


_OPEN = text("""
INSERT INTO gis.alert (layer_id, rule, severity, headline_vi, headline_en, cells, communes, geom,
                       official, simulated, evidence, run_id, opened_at, updated_at)
VALUES (:layer_id, :rule, :severity, :vi, :en, :cells, :communes,
        ST_Multi(ST_GeomFromText(:wkt, 4326)), :official, :simulated,
        CAST(:evidence AS jsonb), :run_id, now(), now())
RETURNING id
""")

_UPDATE = text("""
UPDATE gis.alert SET severity = :severity, headline_vi = :vi, headline_en = :en, cells = :cells,
  communes = :communes, geom = ST_Multi(ST_GeomFromText(:wkt, 4326)), official = :official,
  simulated = :simulated, evidence = CAST(:evidence AS jsonb), run_id = :run_id, updated_at = now()
WHERE id = :id
""")


def _open(connection: Connection, found: HotspotEvidence, cluster: Sequence[HotCell]) -> int:
    alert_id: int = connection.execute(_OPEN, _values(found, cluster)).scalar_one()
    note_event(connection, alert_id, _SERVICE, Status.OPEN.value, f"run {found.run_id}")
    return alert_id


def _update(
    connection: Connection, found: HotspotEvidence, cluster: Sequence[HotCell], alert_id: int
) -> None:
    connection.execute(_UPDATE, _values(found, cluster) | {"id": alert_id})
    note_event(connection, alert_id, _SERVICE, "update", f"run {found.run_id}")


def _values(found: HotspotEvidence, cluster: Sequence[HotCell]) -> dict[str, object]:
    vi, en = headline(found, cluster)
    return {
        "layer_id": found.layer_id,
        "rule": RULE,
        "severity": found.severity,
        "vi": vi,
        "en": en,
        "cells": [hot.cell for hot in cluster],
        "communes": sorted({hot.commune for hot in cluster if hot.commune}),
        "wkt": _outline(cluster),
        "official": found.official,
        "simulated": found.simulated,
        "evidence": orjson.dumps(_evidence(found, cluster)).decode(),
        "run_id": found.run_id,
    }


def _evidence(found: HotspotEvidence, cluster: Sequence[HotCell]) -> dict[str, object]:
    return {
        "until": found.until.isoformat(),
        "window_days": found.window_days,
        "records": _total(cluster),
        "least_p": min(hot.p for hot in cluster),
        "least_q": min(hot.q for hot in cluster),
        "hexes": [h3.int_to_str(hot.cell) for hot in cluster],
    }


def _outline(cluster: Sequence[HotCell]) -> str:
    shape = h3.cells_to_h3shape([h3.int_to_str(hot.cell) for hot in cluster])
    polygons = getattr(shape, "polys", [shape])
    return f"MULTIPOLYGON({', '.join(_rings(polygon) for polygon in polygons)})"


def _rings(polygon: h3.LatLngPoly) -> str:
    rings = [polygon.outer, *polygon.holes]
    return f"({', '.join(_ring(ring) for ring in rings)})"


def _ring(points: Sequence[tuple[float, float]]) -> str:
    closed = [*points, points[0]] if points[0] != points[-1] else points
    return f"({', '.join(f'{lon:.7f} {lat:.7f}' for lat, lon in closed)})"


def _close_quiet(connection: Connection, found: HotspotEvidence, keep: Sequence[int]) -> list[int]:
    rows = connection.execute(
        text(
            "UPDATE gis.alert SET status = 'resolved', resolved_at = now()"
            " WHERE layer_id = :layer AND rule = :rule AND status IN ('open', 'acknowledged')"
            " AND NOT id = ANY(:keep) AND (evidence->>'until')::timestamptz < :before RETURNING id"
        ),
        {
            "layer": found.layer_id,
            "rule": RULE,
            "keep": list(keep),
            "before": found.until - timedelta(days=found.quiet_days),
        },
    )
    closed = [row.id for row in rows]
    for alert_id in closed:
        note_event(connection, alert_id, _SERVICE, Status.RESOLVED.value, "quiet")
    return closed
