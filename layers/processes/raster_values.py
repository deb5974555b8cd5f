"""Values of raster layers by zone, in the unit of the layer; NaN where a zone has none."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Literal

from gis.errors import BadInput
from gis.rasters.raster import RasterQuantity, RasterSpec, StoredRaster
from layers.items.literals import instant_of
from layers.processes.context import Context
from layers.processes.process import RasterInput
from layers.processes.zones import Floats, Zones
from layers.rasters import RasterSource

# Days of rain end at 19:00 in Vietnam.
RAIN_DAY = RasterSpec(RasterQuantity.MEASURE, "mm", day_boundary=time(19))

type RasterMeasure = Literal["raster", "slope"]


def raster_values(
    context: Context, given: RasterInput, zones: Zones, measure: RasterMeasure
) -> Floats:
    """What a raster usually says of each zone: the mean of measures, the sum of totals, the most
    frequent class; or, of heights, the mean slope in degrees.

    Raises NotFound, BadInput.
    """
    from gis.rasters.zones import USUAL, zonal_statistics

    if measure == "slope":
        with terrain_of(context, given, zones) as paths:
            return zonal_statistics(paths["slope"], zones.shapes, ["mean"])["mean"]
    source, _, path = context.one_raster(given)
    statistic = USUAL[source.layer.quantity]
    return zonal_statistics(path, zones.shapes, [statistic])[statistic]


@contextmanager
def terrain_of(context: Context, given: RasterInput, zones: Zones) -> "Iterator[dict[str, Path]]":
    """Files of the slope and the rise of a raster of heights where the zones lie, and of the
    `heights` themselves; they are gone afterwards.
    """
    import shapely

    from gis.rasters.derived import write_terrain

    source, _, heights = heights_of(context, given)
    box = tuple(map(float, shapely.total_bounds(zones.shapes)))
    assert len(box) == 4
    with tempfile.TemporaryDirectory() as folder:
        made = write_terrain(heights, source.require_stack().grid, box, Path(folder))
        yield {**made, "heights": heights}


def heights_of(context: Context, given: RasterInput) -> tuple[RasterSource, StoredRaster, Path]:
    """A raster of heights; raises BadInput for one in another unit than metres."""
    source, raster, path = context.one_raster(given)
    if source.layer.unit != "m":
        raise BadInput(
            f"{source.layer.id} is in {source.layer.unit or 'classes'}: give a raster of heights "
            "in m"
        )
    return source, raster, path


def step_words(raster: StoredRaster) -> dict[str, str | None]:
    """The time of a raster, for a summary."""
    if raster.span is None:
        return {}
    start, end = raster.span.start, raster.span.end
    return {
        "from": f"{start:%Y-%m-%dT%H:%M:%SZ}" if start else None,
        "to": f"{end:%Y-%m-%dT%H:%M:%SZ}" if end else None,
    }


def end_of_rain(until: str | None, spec: RasterSpec) -> datetime | None:
    """The end of a day of rain, or an instant; raises BadInput."""
    if until is None:
        return None
    try:
        if len(until) == len("2024-09-10"):
            return spec.day_of(date.fromisoformat(until)).end
        return instant_of(until)
    except (ValueError, OverflowError):
        raise BadInput(
            f"until={until!r} is wrong: give a day of rain such as 2024-09-10, or an instant with "
            "its zone such as 2024-09-10T13:00:00+07:00"
        ) from None
