"""Newest values of stations: what their rows show, kept in the transaction of the measurements.

A level of alarm holds from its threshold on, and until the value is below it by the hysteresis. It
is found from the measurements alone, so that late and corrected ones give what they would have
given in time.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, exists, select, text

from layers.definition.model import Layer, SeriesQuantity
from layers.storage.tables import measurements_of

# Implausible measurements are kept and shown as such, but nothing follows from them.
USABLE = "quality <> 'implausible'"
_MEMORY_DAYS = 30  # how long a level may hold between its threshold and the hysteresis below it


def refresh_latest(
    connection: Connection, layer: Layer, stations: Sequence[int] | None = None
) -> None:
    """Bring the rows of stations (ids; None: all) in line with their measurements.

    Gives nothing to the history of rows: the measurements are their history.
    """
    values: dict[str, Any] = {} if stations is None else {"stations": list(stations)}
    connection.execute(text(_statement(layer, of_all=stations is None)), values)


def has_measurements(connection: Connection, layer: Layer, station: int) -> bool:
    """True where a station (the id of its row) has any."""
    table = measurements_of(layer)
    return bool(connection.scalar(select(exists().where(table.c.station == station))))


def _statement(layer: Layer, *, of_all: bool) -> str:
    assert layer.series is not None
    columns: dict[str, str] = {}
    joins: list[str] = []
    for number, (name, quantity) in enumerate(layer.series.quantities.items()):
        columns |= dict(_columns(layer, name, quantity, number))
        joins += _joins(layer, name, quantity, number)
    times = ", ".join(f"q{number}.measured_at" for number in range(len(layer.series.quantities)))
    columns["valid_at"] = f"greatest({times})"
    names = ", ".join(f'"{name}"' for name in columns)
    new = ", ".join(f'new."{name}"' for name in columns)
    old = ", ".join(f't."{name}"' for name in columns)
    values = ", ".join(f'{value} AS "{name}"' for name, value in columns.items())
    where = "" if of_all else "WHERE s.id = ANY(:stations)"
    return f"""
UPDATE layer."{layer.id}" t SET ({names}, updated_at) = ROW({new}, now())
FROM (SELECT s.id, {values} FROM layer."{layer.id}" s {" ".join(joins)} {where}) AS new
WHERE t.id = new.id AND ({old}) IS DISTINCT FROM ({new})"""  # noqa: S608 (names of a layer file)


def _columns(
    layer: Layer, name: str, quantity: SeriesQuantity, number: int
) -> Iterator[tuple[str, str]]:
    """The columns of one quantity, each with its SQL; q<number> is its newest measurement."""
    q = f"q{number}"
    yield name, f"CASE WHEN {q}.{USABLE} THEN {q}.value END"
    yield f"{name}_quality", f"{q}.quality"
    if f"{name}_at" in layer.measured_fields:
        yield f"{name}_at", f"{q}.measured_at"
    if quantity.thresholds:
        level = f"a{number}.level"
        yield f"{name}_alarm", f"CASE WHEN {q}.{USABLE} AND a{number}.known THEN {level} END"
    if quantity.trend is not None:
        change, steady = f"({q}.value - b{number}.value)", quantity.trend.steady
        yield (
            f"{name}_trend",
            f"CASE WHEN NOT {q}.{USABLE} OR b{number}.value IS NULL THEN NULL"
            f" WHEN {change} > {steady} THEN 'rising' WHEN {change} < -{steady} THEN 'falling'"
            " ELSE 'steady' END",
        )


def _joins(layer: Layer, name: str, quantity: SeriesQuantity, number: int) -> Iterator[str]:
    q = f"q{number}"
    of_station = f"""
  SELECT m.measured_at, m.value, m.quality FROM layer."{measurements_of(layer).name}" m
  WHERE m.station = s.id AND m.quantity = '{name}'"""  # noqa: S608 (names of a layer file)
    yield f"""
LEFT JOIN LATERAL ({of_station} ORDER BY m.measured_at DESC LIMIT 1) AS {q} ON true"""
    if quantity.thresholds:
        levels = ", ".join(
            f"({level}, {threshold_sql(each.at)})"
            for level, each in enumerate(quantity.thresholds, start=1)
        )
        band = f"t.at - {quantity.hysteresis}"
        yield f"""
LEFT JOIN LATERAL (
  SELECT bool_or(t.at IS NOT NULL) AS known,
         coalesce(max(t.level) FILTER (WHERE {q}.value >= t.at OR {q}.value >= {band} AND (
           SELECT before.value >= t.at FROM ({of_station}
             AND m.measured_at < {q}.measured_at
             AND m.measured_at > {q}.measured_at - interval '{_MEMORY_DAYS} days'
             AND m.{USABLE} AND (m.value >= t.at OR m.value < {band})
             ORDER BY m.measured_at DESC LIMIT 1) AS before)), 0) AS level
  FROM (VALUES {levels}) AS t (level, at)) AS a{number} ON true"""  # noqa: S608
    if quantity.trend is not None:
        yield f"""
LEFT JOIN LATERAL ({of_station} AND m.measured_at < {q}.measured_at
    AND m.measured_at >= {q}.measured_at - interval '{quantity.trend.hours} hours'
    AND m.{USABLE} ORDER BY m.measured_at LIMIT 1) AS b{number} ON true"""


def threshold_sql(at: float | str) -> str:
    """The value of a threshold of the station in row `s`."""
    return f's."{at}"' if isinstance(at, str) else f"CAST({at} AS float8)"
