"""Measurements of stations, page by page, and their values of hours and days.

A day begins at the hour that the layer file declares, in the time of Vietnam, and bears the date
on which most of it lies. A measurement that is stamped with the end of its interval belongs to the
day that ends with it: rain stamped 19:00 is of the day that ends at 19:00.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, text

from gis.clock import HERE
from gis.errors import BadInput, NotFound
from gis.values import TimeSpan
from layers.definition.model import Layer, SeriesQuantity, duration_of
from layers.series.latest import USABLE
from layers.storage.tables import measurements_of

type Interval = Literal["hour", "day"]
type Aggregate = Literal["sum", "mean", "max", "min"]

MOST_VALUES = 10_000  # of hours or days, in one answer
_WIDTHS: dict[Interval, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
# Summed as the decimals that were written: 0.1 + 0.2 is 0.3, in whatever order they are read.
_FUNCTIONS: dict[Aggregate, str] = {
    "sum": "sum(CAST(m.value AS numeric))",
    "mean": "avg(CAST(m.value AS numeric))",
    "max": "max(m.value)",
    "min": "min(m.value)",
}


@dataclass(frozen=True, slots=True)
class Station:
    """A station: id and key of its row, its point (degrees, WGS 84; None without one), and whether
    it is simulated.
    """

    id: int
    key: str
    lon: float | None
    lat: float | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a quantity, in the unit of its field."""

    station: Station
    quantity: str
    measured_at: datetime
    value: float
    quality: str


@dataclass(frozen=True, slots=True)
class MeasurementPage:
    """Measurements by station, quantity and time; `next` is where the next page begins."""

    measurements: Sequence[Measurement]
    next: str | None


@dataclass(frozen=True, slots=True)
class IntervalValue:
    """The value of an hour or a day.

    `value` is None unless the interval was measured whole; `measured` is that of what was measured,
    None where nothing was. `count` are the measurements, without implausible ones; `completeness`
    is the share (0–1) of the `expected` ones that came. `day` is None of an hour.
    """

    station: Station
    quantity: str
    start: datetime
    end: datetime
    day: date | None
    value: float | None
    measured: float | None
    count: int
    expected: int
    completeness: float


def find_stations(
    connection: Connection,
    layer: Layer,
    keys: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
) -> list[Station]:
    """Stations by the keys of their source, or by the ids of their rows; neither: all.

    Raises NotFound for a key or an id that the layer does not have.
    """
    statement = text(_STATIONS.format(layer=layer.id))
    values = {
        "keys": None if keys is None else list(keys),
        "ids": None if ids is None else list(ids),
    }
    stations = [Station(*row) for row in connection.execute(statement, values)]
    missing = [*(set(keys or ()) - {each.key for each in stations})]
    missing += [str(each) for each in set(ids or ()) - {each.id for each in stations}]
    if missing:
        raise NotFound(f"the layer {layer.id} has no station {', '.join(sorted(missing))}")
    return stations


def read_measurements(
    connection: Connection,
    layer: Layer,
    stations: Sequence[Station],
    quantities: Sequence[str],
    span: TimeSpan,
    limit: int,
    cursor: str | None = None,
) -> MeasurementPage:
    """Measurements in a span of time, at most `limit` from where a page before ended."""
    by_id = {each.id: each for each in stations}
    conditions, values = _span(span)
    if cursor is not None:
        conditions += " AND (m.station, m.quantity, m.measured_at) > (:station, :quantity, :after)"
        values |= _after(cursor)
    statement = text(_PAGE.format(table=measurements_of(layer).name, conditions=conditions))
    values |= {"stations": list(by_id), "quantities": list(quantities), "limit": limit + 1}
    rows = connection.execute(statement, values).all()
    page = [
        Measurement(by_id[row.station], row.quantity, row.measured_at, row.value, row.quality)
        for row in rows[:limit]
    ]
    return MeasurementPage(page, _cursor(page[-1]) if len(rows) > limit else None)


def _span(span: TimeSpan) -> tuple[str, dict[str, Any]]:
    """Conditions with bounds that are given alone, by which PostgreSQL leaves months unread."""
    conditions, values = "", {}
    if span.start is not None:
        conditions += " AND m.measured_at >= :start"
        values["start"] = span.start
    if span.end is not None:
        conditions += " AND m.measured_at <= :end"
        values["end"] = span.end
    return conditions, values


def _cursor(last: Measurement) -> str:
    place = [last.station.id, last.quantity, last.measured_at.isoformat()]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _after(cursor: str) -> dict[str, Any]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        station, quantity, at = place
        return {
            "station": int(station), "quantity": str(quantity), "after": datetime.fromisoformat(at)
        }  # fmt: skip
    except (ValueError, TypeError, binascii.Error):
        raise BadInput(f"cursor={cursor!r} is wrong: follow the link `next` of a page") from None


def interval_values(
    connection: Connection,
    layer: Layer,
    stations: Sequence[Station],
    quantities: Sequence[str],
    interval: Interval,
    datetime_text: str,
    aggregate: Aggregate | None = None,
) -> list[IntervalValue]:
    """Values of the hours or days of a time that begins and ends, by station, quantity and time.

    Days are named by dates (`2026-03-01/2026-03-07`); an instant as a bound takes hours or days
    that lie within. `aggregate` None: as the layer file has it. Raises BadInput for a time that is
    open, for more than `MOST_VALUES`, and for a quantity that is measured less often.
    """
    assert layer.series is not None
    starts = _starts(interval, layer.series.day_starts, datetime_text)
    number = len(stations) * len(quantities) * len(starts)
    if number > MOST_VALUES:
        raise BadInput(
            f"these are {number:,} values, at most {MOST_VALUES:,} are given at once: ask for a "
            "shorter time, or for fewer stations"
        )
    values: list[IntervalValue] = []
    for name in quantities if starts else ():
        quantity = layer.series.quantities[name]
        values += _values(connection, layer, stations, name, quantity, interval, starts, aggregate)
    order = {each.id: place for place, each in enumerate(stations)}
    return sorted(values, key=lambda each: (order[each.station.id], each.quantity, each.start))


def _starts(interval: Interval, day_starts: str, datetime_text: str) -> list[datetime]:
    """The beginnings of the hours or days of a time."""
    from layers.items.literals import span_of  # late: reads the columns of layers

    span = span_of(datetime_text)
    if span.end is not None and span.end.year == datetime.max.year:
        raise BadInput(f"datetime={datetime_text!r} is too late: give a time before the year 9999")
    if span.start is None or span.end is None:
        raise BadInput(
            f"datetime={datetime_text!r} is open: hours and days need a time that begins and ends, "
            "such as 2026-03-01/2026-03-07"
        )
    width = _WIDTHS[interval]
    hour, minute = map(int, day_starts.split(":"))
    offset = timedelta(hours=hour, minutes=minute)
    if interval == "day" and "T" not in datetime_text.upper():  # dates are names of days
        before = timedelta(days=1) if _is_named_by_end(offset) else timedelta(0)
        first = span.start.astimezone(HERE) + offset - before
        days = (span.end.astimezone(HERE).date() - span.start.astimezone(HERE).date()).days + 1
    else:
        origin = datetime(2000, 1, 1, tzinfo=HERE) + (offset if interval == "day" else timedelta(0))
        first = origin + -((origin - span.start) // width) * width
        days = max(0, (span.end + timedelta(microseconds=1) - first) // width)
    if days > MOST_VALUES:
        raise BadInput(f"datetime={datetime_text!r} is too long for values of {interval}s")
    return [first + number * width for number in range(days)]


def _is_named_by_end(offset: timedelta) -> bool:
    """True where most of a day lies on the date of its end."""
    return offset > timedelta(hours=12)


def _values(
    connection: Connection,
    layer: Layer,
    stations: Sequence[Station],
    name: str,
    quantity: SeriesQuantity,
    interval: Interval,
    starts: Sequence[datetime],
    aggregate: Aggregate | None,
) -> Iterator[IntervalValue]:
    assert layer.series is not None
    width, every = _WIDTHS[interval], duration_of(quantity.every)
    if every > width or width % every:
        raise BadInput(
            f"{name} is measured every {quantity.every}: it has no values of {interval}s"
        )
    hour, minute = map(int, layer.series.day_starts.split(":"))
    by_end = _is_named_by_end(timedelta(hours=hour, minutes=minute))
    # Of (start, end] the end belongs to it, of [start, end) the start.
    bounds = "m.measured_at > :start AND m.measured_at <= :end"
    number = "ceil(extract(epoch FROM m.measured_at - :start) / :width) - 1"
    slot = "ceil(extract(epoch FROM m.measured_at - :start) / :every)"
    if not quantity.stamps_end:
        bounds = "m.measured_at >= :start AND m.measured_at < :end"
        number = "floor(extract(epoch FROM m.measured_at - :start) / :width)"
        slot = "floor(extract(epoch FROM m.measured_at - :start) / :every)"
    function = _FUNCTIONS[aggregate or quantity.aggregate]
    statement = _VALUES.format(
        table=measurements_of(layer).name,
        function=function,
        bounds=bounds,
        number=number,
        slot=slot,
    )
    values = {
        "stations": [each.id for each in stations],
        "quantity": name,
        "start": starts[0],
        "end": starts[-1] + width,
        "width": width.total_seconds(),
        "every": every.total_seconds(),
    }
    found = {
        (row.station, int(row.number)): row for row in connection.execute(text(statement), values)
    }
    expected = width // every
    for station in stations:
        for place, start in enumerate(starts):
            row, end = found.get((station.id, place)), start + width
            slots = 0 if row is None else int(row.slots)
            measured = None if row is None else float(row.value)
            day = (end if by_end else start).astimezone(HERE).date() if interval == "day" else None
            yield IntervalValue(
                station=station,
                quantity=name,
                start=start.astimezone(UTC),
                end=end.astimezone(UTC),
                day=day,
                value=measured if slots >= expected else None,
                measured=measured,
                count=0 if row is None else int(row.measurements),
                expected=expected,
                completeness=min(1.0, slots / expected),
            )


_STATIONS = """
SELECT id, source_key, ST_X(geom), ST_Y(geom),
       coalesce(provenance ->> 'simulated' = 'true', false)
FROM layer."{layer}"
WHERE (CAST(:keys AS text[]) IS NULL OR source_key = ANY(CAST(:keys AS text[])))
  AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[])))
ORDER BY id"""
_PAGE = """
SELECT m.station, m.quantity, m.measured_at, m.value, m.quality FROM layer."{table}" m
WHERE m.station = ANY(:stations) AND m.quantity = ANY(:quantities){conditions}
ORDER BY m.station, m.quantity, m.measured_at LIMIT :limit"""
_VALUES = f"""
SELECT m.station, {{number}} AS number, {{function}} AS value, count(*) AS measurements,
       count(DISTINCT {{slot}}) AS slots
FROM layer."{{table}}" m
WHERE m.station = ANY(:stations) AND m.quantity = :quantity AND m.{USABLE} AND {{bounds}}
GROUP BY m.station, 2"""  # noqa: S608 (names of a layer file)
