"""Zonal: statistics of a raster by area or hex."""

from typing import Literal

import numpy as np
from pydantic import Field

from gis.rasters.raster import RasterQuantity
from layers.definition.model import LayerField, LocalizedText, Style, StyleClass
from layers.definition.raster import RasterLayer
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
from layers.processes.raster_values import step_words
from layers.processes.zones import AREAS, HEXES, Column, zonal_collection, zones_of

Statistic = Literal[
    "mean", "sum", "min", "max", "median", "stdev", "count", "majority", "variety"
]  # fmt: skip
_LABELS = {
    "mean": ("Trung bình", "Mean"),
    "sum": ("Tổng", "Sum"),
    "min": ("Nhỏ nhất", "Least"),
    "max": ("Lớn nhất", "Greatest"),
    "median": ("Trung vị", "Median"),
    "stdev": ("Độ lệch chuẩn", "Standard deviation"),
    "count": ("Số điểm ảnh có giá trị", "Pixels with a value"),
    "majority": ("Chiếm nhiều nhất", "With most area"),
    "variety": ("Số giá trị khác nhau", "Different values"),
}
_IN_UNIT = ("mean", "sum", "min", "max", "median", "stdev", "majority")


class ZonalParameters(Parameters):
    """The raster, the zones, the statistics."""

    raster: RasterInput = parameter(..., "Lớp ảnh", "Raster")
    areas: LayerInput = AREAS
    resolution: int | None = HEXES
    statistics: list[Statistic] = Field(
        [], title="Statistics (empty: mean, of totals sum, of classes the most frequent)",
        max_length=9,
        json_schema_extra={
            "title_vi": "Đại lượng (trống: trung bình; của số đếm: tổng; của mức: nhiều nhất)",
            "labels_vi": {name: label[0].lower() for name, label in _LABELS.items()},
        },
    )  # fmt: skip


class Zonal(Process[ZonalParameters]):
    """Each pixel counts by the share of it that lies in the zone (exactextract)."""

    name = "zonal"
    title = LocalizedText(vi="Thống kê ảnh theo vùng", en="Zonal statistics")
    description = LocalizedText(
        vi="Giá trị của một lớp ảnh (độ cao, mưa, dân số…) theo vùng hoặc ô lục giác: trung bình, "
        "tổng, nhỏ nhất… Mỗi điểm ảnh tính theo phần nằm trong vùng.",
        en="What a raster (heights, rain, inhabitants…) has in areas or hexes: mean, sum, least… "
        "Each pixel counts by the share of it that lies in the zone.",
    )
    parameters = ZonalParameters
    is_light = False
    examples = (
        {"raster": "rain_daily", "statistics": ["mean", "max"]},
        {"raster": "landslide_susceptibility", "resolution": 8},
    )

    def run(self, context: Context, parameters: ZonalParameters) -> NewCollection:
        from gis.rasters.zones import USUAL, zonal_statistics

        source, raster, path = context.one_raster(parameters.raster)
        layer = source.layer
        names: list[str] = list(dict.fromkeys(parameters.statistics)) or [USUAL[layer.quantity]]
        zones = zones_of(context, parameters.areas, parameters.resolution)
        context.report(0.2, f"{len(zones)} {zones.name}")
        found = zonal_statistics(path, zones.shapes, [*dict.fromkeys([*names, "count"])])
        columns = {name: Column(_field(name, layer), found[name]) for name in names}
        style = None
        if layer.quantity is RasterQuantity.CLASS and "majority" in columns:
            values = found["majority"]
            columns["class"] = Column(
                _class_field(layer), [f"{one:.0f}" if one == one else None for one in values]
            )
            style = _classes(layer) if names[0] == "majority" else None
        summary = {
            "raster": layer.id,
            **step_words(raster),
            "without_value": int((np.nan_to_num(found["count"]) == 0).sum()),
        }
        return zonal_collection(zones, columns, summary, names[0], style)


def _field(name: str, layer: RasterLayer) -> LayerField:
    vi, en = _LABELS[name]
    return number(vi, en, layer.unit if name in _IN_UNIT else None)


def _class_field(layer: RasterLayer) -> LayerField:
    labels = {str(each.value): each.label for each in layer.style.classes}
    return words("Mức", "Class").model_copy(update={"values": labels})


def _classes(layer: RasterLayer) -> Style:
    """As the raster itself is drawn."""
    classes = tuple(
        StyleClass(label=each.label, colour=each.colour, at_least=each.value)
        for each in sorted(layer.style.classes, key=lambda each: each.value or 0)
    )
    return Style(field="majority", classes=classes, outline=None, opacity=layer.style.opacity)
