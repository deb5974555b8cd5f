"""Rain: how much fell in some hours by area or hex, and which amounts were exceeded."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from sqlalchemy import func, literal, select, text

from gis.errors import BadInput
from gis.rasters.rain import exceedance
from layers.definition.model import GeometryKind, Layer, LocalizedText, duration_of
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    integer,
    number,
    parameter,
)
from layers.processes.raster_values import RAIN_DAY, end_of_rain
from layers.processes.zones import (
    AREAS,
    HEXES,
    Column,
    Floats,
    Zones,
    hex_zones,
    hexes_within,
    zonal_collection,
    zones_of,
)
from layers.series.latest import USABLE
from layers.storage.tables import measurements_of

_FINE = 8  # H3 resolution at which rain between gauges is computed for areas


class RainParameters(Parameters):
    """Where the rain is known from, when it fell, and in which zones."""

    rain: str = parameter(
        "rain_daily", "Lớp mưa (mm)", "Raster layer of rain (mm)", min_length=1, max_length=60,
        extra={"format": "raster"},
    )  # fmt: skip
    gauges: LayerInput | None = parameter(
        None, "hoặc lớp trạm đo mưa", "or a layer of readings of gauges"
    )
    field: str | None = parameter(
        None, "Trường lượng mưa (mm) của trạm", "Property of gauges with the rain (mm)",
        max_length=60,
    )  # fmt: skip
    until: str | None = parameter(
        None, "Ngày mưa (đến 19 giờ), hoặc thời điểm kết thúc",
        "Day of rain (until 19:00), or the instant of the end; empty: the newest",
        max_length=40, extra={"format": "datetime"},
    )  # fmt: skip
    hours: float = parameter(24, "Số giờ", "Hours", gt=0, le=8_784)
    thresholds: list[float] = Field(
        [50, 100, 200], title="Amounts that may be exceeded (mm)", min_length=1, max_length=6,
        json_schema_extra={"title_vi": "Các ngưỡng (mm)"},
    )  # fmt: skip
    areas: LayerInput = AREAS
    resolution: int | None = HEXES

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.gauges is None) != (self.field is None):
            raise ValueError("`field` is the rain of `gauges`: give both, or neither")
        if self.gauges is not None and self.until is None:
            raise ValueError("`until` is missing: of gauges, say when the hours end")
        if any(not 0.1 <= each <= 5_000 or round(each, 1) != each for each in self.thresholds):
            raise ValueError("each of `thresholds` is from 0.1 to 5,000 mm, in tenths at most")
        self.thresholds[:] = sorted(set(self.thresholds))
        return self


class Rain(Process[RainParameters]):
    """Sums of a stack of rasters, or between gauges; what is not known is never no rain."""

    name = "rain"
    title = LocalizedText(vi="Lượng mưa và vượt ngưỡng", en="Rain and exceedance")
    description = LocalizedText(
        vi="Tổng lượng mưa trong một số giờ theo vùng hoặc ô lục giác, ngưỡng nào bị vượt và trên "
        "bao nhiêu diện tích. Ngày mưa tính đến 19 giờ. Từ lớp ảnh mưa, hoặc nội suy giữa các trạm "
        "(ghi khoảng cách tới trạm gần nhất; quá 25 km thì để trống).",
        en="Rain of some hours by area or hex, the amounts that were exceeded, and on what share "
        "of it. Days of rain end at 19:00. From rasters of rain, or between gauges (with the "
        "distance to the nearest; beyond 25 km nothing is said).",
    )
    parameters = RainParameters
    is_light = False
    examples = ({"resolution": 7}, {"hours": 72, "thresholds": [100, 200, 300]})

    def run(self, context: Context, parameters: RainParameters) -> NewCollection:
        if parameters.gauges is None:
            zones = zones_of(context, parameters.areas, parameters.resolution)
            rain = _of_rasters(context, parameters, zones)
        else:
            zones, rain = _of_gauges(context, parameters)
        columns = {
            "rain_mm": Column(number("Lượng mưa", "Rain", "mm"), rain.mean),
            "most_mm": Column(number("Nơi mưa nhiều nhất", "Where most fell", "mm"), rain.most),
            "exceeded": Column(
                integer("Số ngưỡng bị vượt", "Amounts that the mean exceeds"),
                _known(exceedance(rain.mean, parameters.thresholds)),
            ),
        }
        for amount, share in zip(parameters.thresholds, rain.shares, strict=True):
            vi, en = f"Phần diện tích từ {amount:g} mm", f"Share with {amount:g} mm or more"
            columns[f"share_{amount:g}".replace(".", "_")] = Column(number(vi, en, "1"), share)
        columns["known"] = Column(number("Phần biết được", "Share that is known", "1"), rain.known)
        if rain.nearest_km is not None:
            label = number("Trạm gần nhất cách", "Nearest gauge", "km")
            columns["nearest_km"] = Column(label, rain.nearest_km)
        unknown = int(np.isnan(rain.mean).sum())
        summary = {**rain.summary, "without_value": unknown}
        return zonal_collection(zones, columns, summary, "rain_mm")


@dataclass(frozen=True)
class ZoneRain:
    """Rain of n zones, mm; shares from 0 to 1, a row of n for each amount."""

    mean: Floats
    most: Floats
    shares: list[Floats]
    known: Floats
    nearest_km: Floats | None
    summary: dict[str, Any]


def _of_rasters(context: Context, parameters: RainParameters, zones: Zones) -> ZoneRain:
    from gis.rasters.derived import write_grid
    from gis.rasters.rain import rain_sum, steps_of_window
    from gis.rasters.zones import MEAN_DIGITS, zonal_statistics

    source = context.raster(parameters.rain)
    stack = source.require_stack()
    if source.layer.unit != "mm" or stack.interval is None:
        raise BadInput(f"{source.layer.id} is no raster layer of rain: its unit is mm, in steps")
    end = end_of_rain(parameters.until, source.layer.spec) or stack.interval.end
    assert end is not None
    steps = steps_of_window(stack, end, parameters.hours)
    if steps is None:
        interval = stack.interval
        raise BadInput(
            f"the steps of {source.layer.id} do not make up the {parameters.hours:g} hours until "
            f"{end:%Y-%m-%dT%H:%MZ}: there are {len(stack.rasters)} from "
            f"{interval.start:%Y-%m-%dT%H:%MZ} to {interval.end:%Y-%m-%dT%H:%MZ}, and no part of a "
            "step is taken"
        )
    context.report(0.3, f"{len(steps)} steps, {len(zones)} {zones.name}")
    total = rain_sum(steps, context.raster_folder)
    with tempfile.TemporaryDirectory() as made:

        def mean_of(values: Floats, *statistics: str) -> dict[str, Floats]:
            path = write_grid(Path(made) / "rain.tif", stack.grid, values)
            means = zonal_statistics(path, zones.shapes, statistics)
            return {name: np.round(column, MEAN_DIGITS) for name, column in means.items()}

        found = mean_of(total, "mean", "max")
        missing = np.isnan(total)
        shares = [
            mean_of(np.where(missing, np.nan, total >= amount), "mean")["mean"]
            for amount in parameters.thresholds
        ]
        known = mean_of(np.where(missing, 0.0, 1.0), "mean")["mean"]
    summary = {"raster": source.layer.id, **_window(end, parameters.hours), "steps": len(steps)}
    return ZoneRain(found["mean"], found["max"], shares, np.nan_to_num(known), None, summary)


def _of_gauges(context: Context, parameters: RainParameters) -> tuple[Zones, ZoneRain]:
    """Rain between gauges at the centres of hexes; of areas, the mean of the hexes within."""
    from gis.rasters.rain import REACH_KM, interpolate_rain, leave_one_out

    end = end_of_rain(parameters.until, RAIN_DAY)
    assert end is not None
    places, rain_mm, left_out = _readings(context, parameters, end)
    cells, centres = hexes_within(context, parameters.areas, parameters.resolution or _FINE)
    context.report(0.3, f"{len(places)} gauges, {len(cells)} hexes")
    found = interpolate_rain(places, rain_mm, centres)
    errors = leave_one_out(places, rain_mm)
    errors = errors[np.isfinite(errors)]
    summary = {
        "gauges": len(places),
        "left_out": left_out,
        "reach_km": REACH_KM,
        # Of each gauge by the others: how far numbers between gauges can be trusted.
        "mean_error_mm": float(np.abs(errors).mean()) if len(errors) else None,
        "bias_mm": float(errors.mean()) if len(errors) else None,
        **_window(end, parameters.hours),
    }
    if parameters.resolution is not None:
        zones, of = hex_zones(cells, centres), np.arange(len(cells))
    else:
        zones = zones_of(context, parameters.areas, None)
        of = _area_of(zones, centres)
    by = _ByZone(of, len(zones))
    known = np.isfinite(found.rain_mm)
    return zones, ZoneRain(
        by.mean(found.rain_mm, known),
        by.most(found.rain_mm, known),
        [by.mean((found.rain_mm >= amount).astype(float), known)
         for amount in parameters.thresholds],
        np.nan_to_num(by.mean(known.astype(float), np.ones(len(known), bool))),
        by.mean(found.nearest_km, np.isfinite(found.nearest_km)),
        summary,
    )  # fmt: skip


@dataclass(frozen=True)
class _ByZone:
    """Numbers of hexes gathered by the zone that each is of; -1: of none."""

    of: npt.NDArray[np.intp]
    zones: int

    def mean(self, values: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
        mine = counted & (self.of >= 0)
        count = np.bincount(self.of[mine], minlength=self.zones)
        total = np.bincount(self.of[mine], values[mine], minlength=self.zones)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def most(self, values: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
        mine = counted & (self.of >= 0)
        highest = np.full(self.zones, -np.inf)
        np.maximum.at(highest, self.of[mine], values[mine])
        return np.where(np.isfinite(highest), highest, np.nan)


def _area_of(zones: Zones, centres: Floats) -> npt.NDArray[np.intp]:
    """The area that each centre lies in, -1 for none."""
    import shapely

    of = np.full(len(centres), -1)
    at, area = shapely.STRtree(zones.shapes).query(shapely.points(centres), "intersects")
    of[at] = area
    return of


def _readings(
    context: Context, parameters: RainParameters, end: datetime
) -> tuple[Floats, Floats, int]:
    """Places of gauges with the rain of the hours before an instant, and how many have gaps.

    A gauge with fewer readings than most have, two of one time, or one without a value has not
    measured the hours: it is left out.
    """
    assert parameters.gauges is not None and parameters.field is not None
    source = context.source(parameters.gauges, (GeometryKind.POINT,))
    context.numeric(source, parameters.field)
    if source.layer.series is not None:
        return _measured(context, parameters, source.layer, end)
    if "valid_at" not in source.by_name:
        raise BadInput(f"{source.layer.id} has no time: readings of gauges have one")
    rows = context.rows(parameters.gauges, GeometryKind.POINT, names=[parameters.field, "valid_at"])
    rain, at = rows.c[parameters.field], rows.c.valid_at
    lon, lat = func.ST_X(rows.c.geom), func.ST_Y(rows.c.geom)
    found = context.connection.execute(
        select(lon, lat, func.sum(rain), func.count(rain), func.count(at.distinct()), func.count())
        .where(at > end - timedelta(hours=parameters.hours), at <= end)
        .group_by(lon, lat).order_by(lon, lat)
    ).all()  # fmt: skip
    if not found:
        raise BadInput(f"no gauge of {source.layer.id} has a reading in these hours")
    usual = Counter(row[4] for row in found).most_common(1)[0][0]
    whole = [row for row in found if row[3] == row[4] == row[5] and row[4] >= usual]
    table = np.array([row[:3] for row in whole], float).reshape(-1, 3)
    return table[:, :2], table[:, 2], len(found) - len(whole)


def _measured(
    context: Context, parameters: RainParameters, layer: Layer, end: datetime
) -> tuple[Floats, Floats, int]:
    """The same of a layer of measurements, whose rows are stations with the newest value alone.

    A station that did not measure each interval of the hours is left out.
    """
    assert parameters.gauges is not None and layer.series is not None
    quantities = layer.series.quantities
    sums = [name for name, each in quantities.items() if each.aggregate == "sum"]
    if parameters.field not in sums:
        raise BadInput(
            f"{layer.id} has no rain {parameters.field!r}: of a layer of measurements give a "
            f"quantity of `aggregate: sum`; it has {', '.join(sums) or 'none'}"
        )
    quantity = quantities[parameters.field]
    every, hours = duration_of(quantity.every), timedelta(hours=parameters.hours)
    if hours % every:
        raise BadInput(
            f"{parameters.field} is measured every {quantity.every}: give hours of whole intervals"
        )
    start = end - hours
    stations = context.rows(parameters.gauges, GeometryKind.POINT, names=[])
    of = measurements_of(layer).c
    since = func.extract("epoch", of.measured_at - literal(start)) / every.total_seconds()
    slot = func.ceil(since) if quantity.stamps_end else func.floor(since)
    within = (
        (of.measured_at > start) & (of.measured_at <= end)
        if quantity.stamps_end
        else (of.measured_at >= start) & (of.measured_at < end)
    )
    lon, lat = func.ST_X(stations.c.geom), func.ST_Y(stations.c.geom)
    found = context.connection.execute(
        select(lon, lat, func.sum(of.value), func.count(slot.distinct()), func.count())
        .join_from(stations, of.value.table, of.station == stations.c.id)
        .where(of.quantity == parameters.field, text(USABLE), within)
        .group_by(stations.c.id, lon, lat).order_by(stations.c.id)
    ).all()  # fmt: skip
    if not found:
        raise BadInput(f"no gauge of {layer.id} has a reading in these hours")
    whole = [row for row in found if row[3] == row[4] == hours // every]
    table = np.array([row[:3] for row in whole], float).reshape(-1, 3)
    return table[:, :2], table[:, 2], len(found) - len(whole)


def _window(end: datetime, hours: float) -> dict[str, str]:
    start = end - timedelta(hours=hours)
    return {
        "from": f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _known(reached: npt.NDArray[np.int64]) -> list[int | None]:
    return [None if each < 0 else each for each in reached.tolist()]
