"""Risk: levels of landslides and flash floods by rain, and whom and what they meet."""

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from gis.errors import BadInput
from gis.rasters.raster import RasterQuantity
from gis.risk.law import COLOURS, RiskLevel, read_risk_table
from gis.risk.second_opinions import LOCAL_THRESHOLDS, UNCALIBRATED
from layers.definition.model import GeometryKind, LayerField, LocalizedText, Style, StyleClass
from layers.exposure import Floats, kilometres_in, people_in, records_in
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    RasterInput,
    integer,
    number,
    parameter,
    words,
)
from layers.processes.raster_values import end_of_rain
from layers.processes.zones import AREAS, Column, hex_zones, hexes_within, zonal_collection
from layers.rasters import RasterSource

_FIRST_YEAR = 1900

type Ints = npt.NDArray[np.int64]

STATES = {
    int(RiskLevel.UNKNOWN): ("unknown", "Không xác định được", "Unknown"),
    int(RiskLevel.NONE): ("none", "Chưa tới mức mưa của cấp 1", "Less rain than any level asks"),
    **{level: (f"level_{level}", f"Cấp {level}", f"Level {level}") for level in COLOURS},
}
_OPINIONS = {-1: ("unknown", "không rõ", "unknown"), 0: ("not_reached", "chưa tới", "not reached"),
             1: ("reached", "đã tới", "reached")}  # fmt: skip
_LHASA = {-1: ("unknown", "không rõ", "unknown"), 0: ("low", "thấp", "low"),
          1: ("moderate", "vừa", "moderate"), 2: ("high", "cao", "high")}  # fmt: skip


class RiskParameters(Parameters):
    """The day, the rain, the susceptibility, and what may be met."""

    until: str | None = parameter(
        None, "Ngày mưa (đến 19 giờ; trống: mới nhất)", "Day of rain (until 19:00; empty: newest)",
        max_length=40, extra={"format": "datetime"},
    )  # fmt: skip
    rain: str = parameter(
        "rain_daily", "Lớp mưa (mm)", "Raster layer of rain (mm)", min_length=1, max_length=60,
        extra={"format": "raster"},
    )  # fmt: skip
    susceptibility: RasterInput = parameter(
        RasterInput(layer="landslide_susceptibility"), "Lớp nhạy cảm sạt lở (bốn mức)",
        "Susceptibility to landslides (four classes)",
    )  # fmt: skip
    susceptibility_of_five: RasterInput | None = parameter(
        None, "Lớp nhạy cảm năm mức, cho quy tắc LHASA của NASA",
        "Susceptibility of five classes, for NASA's rule LHASA",
    )  # fmt: skip
    roads: LayerInput | None = parameter(None, "Lớp đường", "Layer of roads")
    records: LayerInput | None = parameter(
        None, "Lớp bản ghi (như phản ánh)", "Layer of records (such as reports)"
    )
    areas: LayerInput = AREAS
    resolution: int = parameter(7, "Độ phân giải ô H3", "H3 resolution of hexes", ge=5, le=9)


class Risk(Process[RiskParameters]):
    """Decision 18/2021/QĐ-TTg as data, and rules of others beside it."""

    name = "risk"
    title = LocalizedText(vi="Rủi ro sạt lở, lũ quét do mưa", en="Risk of landslides by rain")
    description = LocalizedText(
        vi="Cấp độ rủi ro sạt lở đất, lũ quét theo Điều 46 Quyết định 18/2021/QĐ-TTg (khu vực 1): "
        "mưa 24 giờ, số ngày mưa trước đó, mức nhạy cảm; kèm số dân, đường và bản ghi trong ô. "
        "Ô không có trong bảng thì ghi là không xác định, không phải là an toàn. Ngưỡng của nơi "
        "khác đứng bên cạnh, chưa hiệu chỉnh cho Lào Cai. Không tạo cảnh báo.",
        en="Levels of landslides and flash floods by Article 46 of Decision 18/2021/QĐ-TTg (region "
        "1): rain of 24 hours, days of rain before, susceptibility; with people, roads and records "
        "of each hex. What is in no row of the table is unknown, which is not without risk. Rules "
        "of other places stand beside it, not calibrated here. It raises no alert.",
    )
    parameters = RiskParameters
    is_light = False
    examples = ({"records": "citizen_reports", "roads": "roads"},)

    def run(self, context: Context, parameters: RiskParameters) -> NewCollection:
        from gis.risk.assessment import RiskAssessor

        rain = context.raster(parameters.rain)
        stack = rain.require_stack()
        if rain.layer.unit != "mm" or stack.interval is None:
            raise BadInput(f"{rain.layer.id} is no raster layer of rain: its unit is mm, in steps")
        place = _classes_of(context, parameters.susceptibility)
        end = end_of_rain(parameters.until, rain.layer.spec) or stack.interval.end
        assert end is not None
        if end.year < _FIRST_YEAR:
            raise BadInput(f"until={parameters.until!r} is wrong: give a day from {_FIRST_YEAR} on")
        cells, centres = hexes_within(context, parameters.areas, parameters.resolution)
        table = read_risk_table()
        assessor = RiskAssessor(stack, place.require_stack(), context.raster_folder, cells, table)
        context.report(0.2, f"{len(cells)} hexes")
        day = assessor.assess(end)
        columns = {
            "state": Column(_field("Cấp độ rủi ro", "Level of risk", STATES),
                            _words(day.level, STATES)),
            "level": Column(integer("Cấp", "Level"),
                            [each if each >= 0 else None for each in day.level.tolist()]),
            "rain_mm": Column(number("Mưa 24 giờ", "Rain of 24 hours", "mm"), day.rain_mm),
            "days_before": Column(number("Số ngày mưa trước đó", "Days of rain before"),
                                  day.days_before),
            "susceptibility": Column(number("Mức nhạy cảm", "Susceptibility"), day.susceptibility),
            "article": Column(
                words("Điều", "Article"),
                [str(table.article) if each > 0 else None for each in day.level.tolist()],
            ),
        }  # fmt: skip
        met = _met(context, parameters, cells)
        columns |= met
        for threshold in LOCAL_THRESHOLDS:
            reached = day.opinions[threshold.place]
            label = (f"Ngưỡng {threshold.place} (chưa hiệu chỉnh)",
                     f"Threshold of {threshold.place} (uncalibrated)")  # fmt: skip
            name = "threshold_" + threshold.key
            columns[name] = Column(_field(*label, _OPINIONS), _words(reached, _OPINIONS))
        if parameters.susceptibility_of_five is not None:
            five = _classes_of(context, parameters.susceptibility_of_five).require_stack()
            label = ("LHASA của NASA (chưa hiệu chỉnh)", "LHASA of NASA (uncalibrated)")
            nowcast = assessor.lhasa(end, five)
            columns["lhasa"] = Column(_field(*label, _LHASA), _words(nowcast, _LHASA))
        at_risk = day.level > 0
        summary: dict[str, Any] = {
            "from": f"{end - timedelta(hours=24):%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "decision": f"{table.decision}, {table.article}",
            "unknown": int((day.level < 0).sum()),
            "at_risk": int(at_risk.sum()),
            "highest": None if (day.level < 0).all() else int(day.level.max(initial=0)),
            **{f"{name}_at_risk": float(np.nansum(np.array(column.values)[at_risk]))
               for name, column in met.items()},
            "second_opinions": UNCALIBRATED,
        }  # fmt: skip
        zones = hex_zones(cells, centres)
        return zonal_collection(zones, columns, summary, "level", _style())


def _classes_of(context: Context, given: RasterInput) -> RasterSource:
    """A raster layer of classes; raises BadInput for another."""
    source = context.raster(given.layer)
    if source.layer.quantity is not RasterQuantity.CLASS:
        raise BadInput(
            f"{given.layer} is no raster layer of susceptibility: its `quantity` is class"
        )
    return source


def _met(
    context: Context, parameters: RiskParameters, cells: npt.NDArray[np.int64]
) -> dict[str, Column]:
    connection = context.connection
    met: dict[str, Floats] = {}
    people = people_in(connection, cells)
    if np.isfinite(people).any():
        met["people"] = people
    if parameters.roads is not None:
        lines = context.rows(parameters.roads, GeometryKind.LINE, names=[])
        met["roads_km"] = kilometres_in(connection, select(func.ST_AsBinary(lines.c.geom)), cells)
    if parameters.records is not None:
        points = context.rows(parameters.records, GeometryKind.POINT, names=[])
        lonlat = select(func.ST_X(points.c.geom), func.ST_Y(points.c.geom))
        met["records"] = records_in(connection, lonlat, cells)
    fields = {
        "people": number("Số dân", "People"),
        "roads_km": number("Đường", "Roads", "km"),
        "records": number("Số bản ghi", "Records"),
    }
    return {name: Column(fields[name], values) for name, values in met.items()}


def _field(vi: str, en: str, states: dict[int, tuple[str, str, str]]) -> LayerField:
    labels = {name: LocalizedText(vi=a, en=b) for name, a, b in states.values()}
    return words(vi, en).model_copy(update={"values": labels})


def _words(values: Ints, states: dict[int, tuple[str, str, str]]) -> list[str]:
    return [states[each][0] for each in values.tolist()]


def _style() -> Style:
    """The colours of the Decision; grey is what is not known."""
    colours = {int(RiskLevel.UNKNOWN): "#9e9e9e", int(RiskLevel.NONE): "#eceff1", **COLOURS}
    classes = tuple(
        StyleClass(label=LocalizedText(vi=vi, en=en), colour=colours[level], value=name)
        for level, (name, vi, en) in STATES.items()
    )
    return Style(field="state", classes=classes, outline=None, opacity=0.7)
