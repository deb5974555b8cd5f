"""Trace of a record: its life, from the system that it came from to what is served of it now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from gis.errors import NotFound
from layers.definition.model import Layer
from layers.storage.tables import measurements_of, table_of

_OF_PLACE = (
    "place_method", "place_confidence", "place_precision_m", "commune", "unit_then",
    "default_point",
)  # fmt: skip
_NOT_COMPARED = {"id", "updated_at", "provenance", "source", "source_key"}


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One event in the life of a record.

    `what`: `loaded`, `changed`, `placed again`, `removed`, `returned`, `quarantined`, `replaced`;
    of a station `measured`, `corrected`, `reverted`;
    `mapping` is the version of the layer file by which it was loaded.
    """

    at: datetime
    what: str
    who: str
    load: int | None = None
    file: str | None = None
    line: int | None = None
    mapping: str | None = None
    why: str | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordTrace:
    """A record of one source: its item as it is served now (None: it is not), and its life."""

    layer_id: str
    source: str
    key: str
    item: int | None
    simulated: bool
    place: Mapping[str, Any]
    steps: Sequence[TraceStep]


def trace(connection: Connection, layer: Layer, key: str) -> list[RecordTrace]:
    """The life of each record with this key, one a source. Raises NotFound."""
    sources = connection.scalars(text(_SOURCES.format(layer=layer.id)), _values(layer, key))
    found = [_trace(connection, layer, source, key) for source in sorted(sources)]
    if not found:
        raise NotFound(f"the layer {layer.id} knows no record {key!r}, by the key of its source")
    return found


def _values(layer: Layer, key: str, source: str = "") -> dict[str, Any]:
    return {"layer": layer.id, "key": key, "source": source}


def _trace(connection: Connection, layer: Layer, source: str, key: str) -> RecordTrace:
    values = _values(layer, key, source)
    row = connection.execute(text(_ROW.format(layer=layer.id)), values).one_or_none()
    now = None if row is None else dict(row.values)
    history = connection.execute(text(_HISTORY.format(layer=layer.id)), values).all()
    names = set(table_of(layer).columns.keys())
    states = [each.before for each in history] + [now]
    steps = [*_changes(history, states, names), *_loaded(connection, states)]
    if layer.series is not None and now is not None:
        steps += _measured(connection, layer, now["id"])
    steps += [
        TraceStep(each.at, each.what, each.who, each.load_id, why=each.why)
        for each in connection.execute(_BESIDE, values)
    ]
    provenance = (now or {}).get("provenance") or {}
    return RecordTrace(
        layer.id,
        source,
        key,
        None if now is None else now["id"],
        bool(provenance.get("simulated")),
        {name: (now or {}).get(name) for name in _OF_PLACE if layer.placed},
        sorted(steps, key=lambda step: step.at),
    )


def _measured(connection: Connection, layer: Layer, station: int) -> Iterator[TraceStep]:
    """The last loads that brought measurements of a station, and corrections of these."""
    values = {"layer": layer.id, "station": station, "limit": _MOST_STEPS}
    measurements = text(_MEASURED.format(measurements=measurements_of(layer).name))
    for load in connection.execute(measurements, values):
        yield TraceStep(
            load.at,
            "measured",
            load.who,
            load.id,
            load.file,
            mapping=load.mapping,
            after={"measurements": load.number, "first": load.first, "last": load.last},
        )
    for each in connection.execute(text(_CORRECTIONS.format(
        measurements=measurements_of(layer).name)), values):  # fmt: skip
        of = {"quantity": each.quantity, "measured_at": each.measured_at}
        yield TraceStep(
            each.at,
            "corrected" if each.load_id else "reverted",
            each.who,
            each.load_id,
            before={**of, "value": each.value, "quality": each.quality},
            after={**of, "value": each.now, "quality": each.quality_now},
        )


def _changes(
    history: Sequence[Any], states: Sequence[Mapping[str, Any] | None], names: set[str]
) -> Iterator[TraceStep]:
    """Each change with the values that differ, in the columns that the layer has by now."""
    for number, each in enumerate(history):
        before, after = each.before, states[number + 1]
        if each.act == "delete":
            yield TraceStep(each.at, "removed", each.who, each.load_id)
            continue
        differing = [
            name
            for name in sorted(names - _NOT_COMPARED)
            if before and after and before.get(name) != after.get(name)
        ]
        is_place = bool(differing) and set(differing) <= {*_OF_PLACE, "geom", "h3"}
        yield TraceStep(
            each.at,
            "placed again" if is_place and each.load_id is None else "changed",
            each.who,
            each.load_id,
            why=each.act,
            before={name: (before or {}).get(name) for name in differing},
            after={name: (after or {}).get(name) for name in differing},
        )


def _loaded(
    connection: Connection, states: Sequence[Mapping[str, Any] | None]
) -> Iterator[TraceStep]:
    """The loads that the record's states came by, each once."""
    lines: dict[int, int | None] = {}
    for state in states:
        provenance = (state or {}).get("provenance") or {}
        if provenance.get("load"):
            lines.setdefault(int(provenance["load"]), provenance.get("line"))
    for load in connection.execute(_LOADS, {"ids": list(lines)}):
        yield TraceStep(
            load.at, "loaded", load.who, load.id, load.file, lines[load.id], load.mapping
        )


_MOST_STEPS = 100  # of measurements
# Of the newest measurements, since all of a station may be millions.
_MEASURED = """
SELECT l.id, l.loaded_at AS at, l.loaded_by AS who, l.file, l.mapping, count(*) AS number,
       min(m.measured_at) AS first, max(m.measured_at) AS last
FROM (SELECT load_id, measured_at FROM layer."{measurements}" WHERE station = :station
      ORDER BY measured_at DESC LIMIT 100 * :limit) AS m
JOIN gis.load l ON l.id = m.load_id
GROUP BY l.id ORDER BY l.id DESC LIMIT :limit"""
_CORRECTIONS = """
SELECT h.at, h.who, h.load_id, h.quantity, h.measured_at, h.value, h.quality, m.value AS now,
       m.quality AS quality_now
FROM gis.measurement_history h
LEFT JOIN layer."{measurements}" m USING (station, quantity, measured_at)
WHERE h.layer_id = :layer AND h.station = :station ORDER BY h.id DESC LIMIT :limit"""
_SOURCES = """
SELECT source FROM layer."{layer}" WHERE source_key = :key
UNION SELECT before ->> 'source' FROM gis.row_history
WHERE layer_id = :layer AND before ->> 'source_key' = :key AND act = 'delete'
UNION SELECT source FROM gis.quarantine WHERE layer_id = :layer AND source_key = :key
"""
_ROW = """
SELECT to_jsonb(t) - 'geom' || jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex'))
  AS values
FROM layer."{layer}" t WHERE source = :source AND source_key = :key"""
_HISTORY = """
SELECT id, act, at, who, before, load_id FROM gis.row_history
WHERE layer_id = :layer AND row_id IN (
  SELECT t.id FROM layer."{layer}" t WHERE t.source = :source AND t.source_key = :key
  UNION SELECT row_id FROM gis.row_history
  WHERE layer_id = :layer AND act = 'delete' AND before ->> 'source_key' = :key
    AND before ->> 'source' = :source)
ORDER BY id"""
_LOADS = text("""
SELECT id, loaded_at AS at, loaded_by AS who, file, mapping FROM gis.load WHERE id = ANY(:ids)
""")
_BESIDE = text("""
SELECT created_at AS at, 'quarantined' AS what, changed_by AS who, load_id,
       reason || ': ' || why AS why
FROM gis.quarantine WHERE layer_id = :layer AND source = :source AND source_key = :key
UNION ALL
SELECT changed_at, 'quarantine: ' || status, changed_by, NULL, NULL
FROM gis.quarantine
WHERE layer_id = :layer AND source = :source AND source_key = :key AND status <> 'waiting'
UNION ALL
SELECT at, 'replaced', '', load_id, 'by ' || by_key
FROM gis.superseded WHERE layer_id = :layer AND source = :source AND source_key = :key
""")
