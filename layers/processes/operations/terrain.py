"""Terrain: height, slope, aspect, relief and the way of water, by area or hex."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, JsonValue
from sqlalchemy import func, select

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LayerField, LocalizedText
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    RasterInput,
    number,
    parameter,
    words,
)
from layers.processes.raster_values import heights_of, terrain_of
from layers.processes.zones import (
    AREAS,
    HEXES,
    Column,
    Floats,
    Zones,
    zonal_collection,
    zones_of,
)

Measure = Literal["height", "slope", "aspect", "relief", "flow", "river"]
_LABELS_VI: dict[str, JsonValue] = {
    "height": "độ cao", "slope": "độ dốc", "aspect": "hướng dốc", "relief": "chênh cao",
    "flow": "hướng nước chảy", "river": "đường nước tới sông",
}  # fmt: skip
# Of the directions of gis.rasters.flow, clockwise from the east.
DIRECTIONS = {
    "E": ("Đông", "East"), "SE": ("Đông Nam", "South-east"), "S": ("Nam", "South"),
    "SW": ("Tây Nam", "South-west"), "W": ("Tây", "West"), "NW": ("Tây Bắc", "North-west"),
    "N": ("Bắc", "North"), "NE": ("Đông Bắc", "North-east"),
}  # fmt: skip


class TerrainParameters(Parameters):
    """The heights, the zones, and what is wanted of them."""

    heights: RasterInput = parameter(
        RasterInput(layer="elevation"), "Lớp độ cao (m)", "Raster of heights (m)"
    )
    areas: LayerInput = AREAS
    resolution: int | None = HEXES
    measures: list[Measure] = Field(
        ["height", "slope", "aspect", "relief"], title="What is wanted", min_length=1,
        max_length=6,
        json_schema_extra={"title_vi": "Đại lượng", "labels_vi": _LABELS_VI},
    )  # fmt: skip
    rivers: LayerInput | None = parameter(
        None, "Lớp sông suối (trống: nơi nước tụ)", "Layer of rivers (empty: where water gathers)"
    )
    river_km2: float = parameter(
        5, "Nước tụ thành sông từ (km²)", "Water gathers to a river from (km²)", gt=0, le=10_000
    )


class Terrain(Process[TerrainParameters]):
    """Numbers of a raster of heights in metres, on the ellipsoid."""

    name = "terrain"
    title = LocalizedText(vi="Địa hình", en="Terrain")
    description = LocalizedText(
        vi="Theo vùng hoặc ô lục giác: độ cao, độ dốc (Horn), hướng dốc, chênh cao, hướng nước "
        "chảy (D8), diện tích thượng nguồn, và quãng đường nước chảy tới sông.",
        en="By area or hex: height, slope (Horn), aspect, relief, the way of water (D8), the area "
        "upstream, and the metres along the flow to a river.",
    )
    parameters = TerrainParameters
    is_light = False
    examples = (
        {"resolution": 8, "measures": ["slope", "aspect", "relief"]},
        {"measures": ["height", "flow", "river"]},
    )

    def run(self, context: Context, parameters: TerrainParameters) -> NewCollection:
        zones = zones_of(context, parameters.areas, parameters.resolution)
        context.report(0.1, f"{len(zones)} {zones.name}")
        wanted = parameters.measures
        columns: dict[str, Column] = {}
        if set(wanted) & {"height", "slope", "aspect", "relief"}:
            columns |= _shape(context, parameters, zones)
        summary: dict[str, Any] = {"raster": parameters.heights.layer}
        if set(wanted) & {"flow", "river"}:
            water, summary["rivers"] = _water(context, parameters, zones)
            columns |= water
        kept = {
            name: columns[name] for measure in wanted for name in _COLUMNS[measure]
        }  # fmt: skip
        main = _COLUMNS[next((each for each in wanted if each != "aspect"), "aspect")][-1]
        summary["without_value"] = sum(each is None for each in kept[main].plain())
        return zonal_collection(zones, kept, summary, main)


# What a measure gives; the last one is that by which a map is drawn.
_COLUMNS = {
    "height": ("height_min_m", "height_max_m", "height_m"),
    "slope": ("slope_max_deg", "slope_deg"),
    "aspect": ("faces", "aspect_deg"),
    "relief": ("relief_m",),
    "flow": ("flows", "upstream_km2"),
    "river": ("river_m",),
}


def _shape(context: Context, parameters: TerrainParameters, zones: Zones) -> dict[str, Column]:
    from gis.rasters.terrain import aspect
    from gis.rasters.zones import zonal_statistics

    shapes = zones.shapes
    with terrain_of(context, parameters.heights, zones) as paths:
        height = zonal_statistics(paths["heights"], shapes, ["mean", "min", "max"])
        steep = zonal_statistics(paths["slope"], shapes, ["mean", "max"])
        rise = [zonal_statistics(paths[name], shapes, ["mean"])["mean"]
                for name in ("east", "north")]  # fmt: skip
    faces = aspect(*rise)
    return {
        "height_m": Column(number("Độ cao trung bình", "Mean height", "m"), height["mean"]),
        "height_min_m": Column(number("Thấp nhất", "Lowest", "m"), height["min"]),
        "height_max_m": Column(number("Cao nhất", "Highest", "m"), height["max"]),
        "relief_m": Column(number("Chênh cao", "Relief", "m"), height["max"] - height["min"]),
        "slope_deg": Column(number("Độ dốc trung bình", "Mean slope", "deg"), steep["mean"]),
        "slope_max_deg": Column(number("Dốc nhất", "Steepest", "deg"), steep["max"]),
        "aspect_deg": Column(
            number("Hướng dốc của cả vùng (độ từ hướng Bắc)", "Aspect as a whole (from north)",
                   "deg"), faces,
        ),
        "faces": Column(
            _direction("Hướng dốc", "Faces"),
            _named(np.round((faces - 90) / 45)),
        ),
    }  # fmt: skip


def _water(
    context: Context, parameters: TerrainParameters, zones: Zones
) -> tuple[dict[str, Column], str]:
    """The way of water by zone, and what was taken for a river."""
    from gis.rasters.derived import write_flow
    from gis.rasters.zones import zonal_statistics

    source, _, path = heights_of(context, parameters.heights)
    grid = source.require_stack().grid
    rivers = _rivers(context, parameters, grid.crs)
    context.report(0.4, "the way of water")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_flow(path, grid, Path(folder), rivers, parameters.river_km2)
        found = {
            name: zonal_statistics(paths[name], zones.shapes, [statistic])[statistic]
            for name, statistic in (("direction", "majority"), ("upstream", "max"),
                                    ("river", "mean"))
        }  # fmt: skip
    codes = np.where(found["direction"] > 0, found["direction"], np.nan)
    columns = {
        "flows": Column(_direction("Hướng nước chảy", "Water runs"), _named(np.log2(codes))),
        "upstream_km2": Column(
            number("Diện tích thượng nguồn lớn nhất", "Most area upstream", "km2"),
            found["upstream"],
        ),
        "river_m": Column(
            number("Đường nước chảy tới sông", "Along the flow to a river", "m"), found["river"]
        ),
    }
    if parameters.rivers is None:
        return columns, f"where more than {parameters.river_km2:g} km² drain"
    return columns, parameters.rivers.layer


def _rivers(context: Context, parameters: TerrainParameters, crs: str) -> list[Any] | None:
    """Lines in the CRS of the raster; None where no layer of rivers is given."""
    import pyproj
    import shapely

    if parameters.rivers is None:
        return None
    rows = context.rows(parameters.rivers, GeometryKind.LINE, GeometryKind.POLYGON, names=[])
    found = context.connection.execute(select(func.ST_AsBinary(rows.c.geom))).scalars()
    shapes = shapely.from_wkb(np.array([bytes(each) for each in found], dtype=object))
    if not len(shapes):
        raise BadInput(
            f"there is no river: {parameters.rivers.layer} has none that meets the filter; leave "
            "`rivers` empty to take them where water gathers"
        )
    move = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return list(shapely.transform(shapes, move.transform, interleaved=False))


def _direction(vi: str, en: str) -> LayerField:
    labels = {code: LocalizedText(vi=a, en=b) for code, (a, b) in DIRECTIONS.items()}
    return words(vi, en).model_copy(update={"values": labels})


def _named(eighths: Floats) -> list[str | None]:
    """Names of directions that are counted clockwise from the east, a turn being eight."""
    codes = list(DIRECTIONS)
    return [codes[int(each) % 8] if each == each else None for each in eighths]
