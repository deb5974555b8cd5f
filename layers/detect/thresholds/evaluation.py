"""One rule at one moment: a statement over the layer's rows, and its rows as signals."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from gis.alerts.findings import Findings, Signal
from layers.definition.model import (
    AlertRule,
    CountRule,
    IndicatorRule,
    Layer,
    LevelRule,
    QuietRule,
    RainRule,
    RowRule,
    SensorRule,
)
from layers.detect.thresholds.messages import detail, headline
from layers.series.rules import level_names, measured_rows
from layers.storage.tables import SCHEMA

# Coarser places are counted in their commune alone; as in hotspots.
_SHARP: Final = "h3 IS NOT NULL AND NOT default_point AND coalesce(place_precision_m, 0) <= 500"
_DAY_MINUTES: Final = 1440
_MOST_RECORDS: Final = 1000  # whose ids an alert holds


def _statements(path: Path) -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


_SQL = _statements(Path(__file__).with_name("statements.sql"))


def find_beyond(
    connection: Connection,
    layer: Layer,
    rule: RowRule,
    now: datetime,
    live: Sequence[str] = (),
) -> Findings:
    """Findings of a rule, by the rows that happened until `now`.

    `live`: the sensors with an alert, which a reading that has become stale does not end.
    """
    assert layer.alerts is not None
    version = connection.scalar(_VERSION, {"layer": layer.id})
    rows = connection.execute(*_statement(layer, rule, now, live)).all()
    signals = tuple(_signal(connection, layer, rule, row) for row in rows)
    return Findings(
        layer_id=layer.id,
        rule=rule.id,
        until=now,
        official=boundaries_are_official(connection),
        simulated=any(row.simulated for row in rows),
        signals=signals,
        policy=layer.alerts.threshold_policy(rule),
        version=version,
    )


def boundaries_are_official(connection: Connection) -> bool:
    """True where alerts may be official: with approximate units none is."""
    return bool(connection.scalar(_QUALITY) == "official")


_VERSION = text("SELECT version FROM gis.layer WHERE id = :layer")
_QUALITY = text("SELECT quality FROM gis.boundary_state")


def _statement(
    layer: Layer, rule: RowRule, now: datetime, live: Sequence[str]
) -> tuple[Any, dict[str, Any]]:
    """The statement of a rule and its values."""
    names = {"layer": _relation(layer, rule)}
    match rule:
        case SensorRule():
            names |= _fields(rule) | {"beyond": ">" if rule.above is not None else "<"}
            values = _sensor_values(rule) | {"live": list(live)}
        case RainRule():
            names |= _fields(rule)
            values = {
                "limit": rule.above,
                "seconds": rule.hours * 3600,
                "resolution": rule.resolution,
            }
        case CountRule():
            names |= _places(rule) | {"value": _counted(layer, rule)}
            values = {"limit": rule.at_least, "seconds": rule.hours * 3600} | _field_values(rule)
            values |= {"resolution": rule.resolution} if rule.per == "hex" else {}
        case QuietRule():
            names |= _fields(rule)
            values = {"seconds": rule.hours * 3600}
        case IndicatorRule():
            names |= _fields(rule) | {"beyond": "<" if rule.at_least is not None else ">"}
            values = {"limit": rule.at_least if rule.at_least is not None else rule.at_most}
        case LevelRule():
            names |= _fields(rule) | level_names(layer, rule)
            values = {"stale_minutes": rule.stale_minutes, "live": list(live)}
    return text(_SQL[rule.kind].format(**names)), values | {"now": now}


def _relation(layer: Layer, rule: RowRule) -> str:
    """The rows that a rule is about: of a layer of measurements these, with their stations."""
    if layer.series is None or not isinstance(rule, SensorRule | RainRule):
        return f'{SCHEMA}."{layer.id}"'
    return measured_rows(layer, rule.field, rule.of)


def _fields(rule: AlertRule) -> dict[str, str]:
    """Quoted names of the columns that a rule speaks of; without `of` all rows are of one thing."""
    of, field = getattr(rule, "of", None), getattr(rule, "field", None)
    return {"of": f'"{of}"' if of else "CAST('' AS text)", "field": f'"{field}"'}


def _sensor_values(rule: SensorRule) -> dict[str, Any]:
    return {
        "limit": rule.above if rule.above is not None else rule.below,
        "stale_minutes": rule.stale_minutes,
        "lookback_minutes": rule.minutes + rule.stale_minutes + _DAY_MINUTES,
    }


def _places(rule: CountRule) -> dict[str, str]:
    where = [f'"{name}" = :value_{n}' for n, name in enumerate(rule.where)]
    hexes = "gis.h3_parent(h3, :resolution)"
    place, cell, sharp = {
        "hex": (f"gis.h3_text({hexes})", hexes, _SHARP),
        "commune": ("commune", "NULL::bigint", "commune IS NOT NULL"),
        "province": ("CAST('' AS text)", "NULL::bigint", "true"),
    }[rule.per]
    group = {"hex": hexes, "commune": "commune", "province": "()"}[rule.per]
    return {"place": place, "cell": cell, "group": group, "where": " AND ".join([sharp, *where])}


def _counted(layer: Layer, rule: CountRule) -> str:
    """The count of a rule as SQL; reporters are compared in the database, and none leaves it."""
    hotspots = layer.hotspots
    names = [hotspots.reporter, *hotspots.senders] if hotspots else []
    told = [f"'{n} ' || {_said(layer, name)}" for n, name in enumerate(names) if name is not None]
    if not rule.voices or not told:
        return "count(*)"
    voice = f"coalesce({', '.join(told)})"
    return f"count(*) FILTER (WHERE {voice} IS NULL) + count(DISTINCT {voice})"


def _said(layer: Layer, name: str) -> str:
    """Who a field names, as SQL."""
    said = f'record."{name}"::text'
    if layer.fields[name].personal:
        said = (
            f"(SELECT r.details ->> '{name}' FROM private.reporter r"  # noqa: S608 (a checked name)
            f" WHERE r.layer_id = '{layer.id}' AND r.source = record.source"
            " AND r.source_key = record.source_key)"
        )
    return f"gis.reporter_of({said})"


def _field_values(rule: CountRule) -> dict[str, Any]:
    return {f"value_{n}": value for n, value in enumerate(rule.where.values())}


def _signal(connection: Connection, layer: Layer, rule: RowRule, row: Row[Any]) -> Signal:
    label = _label(connection, rule, row)
    vi, en = headline(layer, rule, label, float(row.value), dict(row._mapping))
    detail_vi, detail_en = detail(row.since, row.until)
    everywhere = isinstance(rule, QuietRule) and rule.of is None
    located = not everywhere and not (isinstance(rule, CountRule) and rule.per == "province")
    return Signal(
        tier=rule.tier_of(row.level) if isinstance(rule, LevelRule) else rule.tier,
        observed=float(row.value),
        since=row.since,
        until=row.until,
        headline_vi=vi,
        headline_en=en,
        detail_vi=detail_vi,
        detail_en=detail_en,
        cells=(row.cell,) if located and row.cell is not None else (),
        communes=(row.commune,) if located and row.commune else (),
        centre=(row.lon, row.lat) if located and row.lon is not None else None,
        records=tuple(dict.fromkeys(row.records[-_MOST_RECORDS:])),
        measures=_measures(rule, row),
        key=str(row.key),
        beyond=_beyond(rule, float(row.value), row),
        simulated=row.simulated,
    )


def _measures(rule: RowRule, row: Row[Any]) -> dict[str, Any]:
    if not isinstance(rule, LevelRule):
        return {"rule": rule.kind}
    return {"rule": rule.kind, "level": row.level, "threshold": row.threshold, "station": row.key}


def _beyond(rule: RowRule, value: float, row: Row[Any]) -> float | None:
    """Distance from the last value that raises nothing; None of a silence, which only grows."""
    match rule:
        case QuietRule():
            return None
        case CountRule():
            return value - (rule.at_least - 1)
        case RainRule():
            return value - rule.above
        case LevelRule():
            return value - float(row.threshold)
        case SensorRule():
            return abs(value - (rule.above if rule.above is not None else rule.below or 0.0))
        case IndicatorRule():
            return abs(
                value - (rule.at_least if rule.at_least is not None else rule.at_most or 0.0)
            )


def _label(connection: Connection, rule: RowRule, row: Row[Any]) -> str:
    """Name of the sensor or commune, as people call it; empty for the province."""
    if isinstance(rule, CountRule | RainRule):
        named = connection.scalar(_COMMUNE, {"code": row.commune}) if row.commune else None
        return str(named or "") if not isinstance(rule, CountRule) or rule.per != "province" else ""
    return str(row.label)


_COMMUNE = text("SELECT full_name FROM layer.communes WHERE code = :code")
