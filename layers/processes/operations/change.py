"""Change: two periods compared in each area, with a test of whether it is more than chance."""

from typing import Any

from sqlalchemy import func, select

from gis.errors import BadInput
from gis.values import TimeSpan
from layers.definition.model import GeometryKind, LocalizedText, Style, StyleClass
from layers.items.literals import span_of
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    arranged,
    integer,
    number,
    parameter,
    words,
)

_DAY_S = 86_400.0
_STYLE = Style(
    field="change",
    classes=(
        StyleClass(value="more", colour="#b2182b", label=LocalizedText(vi="tăng", en="more")),
        StyleClass(value="fewer", colour="#2166ac", label=LocalizedText(vi="giảm", en="fewer")),
        StyleClass(
            value="unclear",
            colour="#d9d9d9",
            label=LocalizedText(vi="không rõ rệt", en="no clear change"),
        ),
    ),
    outline="#37474f",
    opacity=0.7,
    size_px=1,
)


class ChangeParameters(Parameters):
    """The records, the areas, and the two periods."""

    records: LayerInput = parameter(..., "Lớp bản ghi", "Records")
    areas: LayerInput = parameter(LayerInput(layer="communes"), "Theo các vùng", "In these areas")
    before: str = parameter(..., "Kỳ trước (từ/đến)", "Period before (start/end)", max_length=100,
                            extra={"format": "datetime"})  # fmt: skip
    after: str = parameter(..., "Kỳ sau (từ/đến)", "Period after (start/end)", max_length=100,
                           extra={"format": "datetime"})  # fmt: skip
    alpha: float = parameter(0.05, "Tỷ lệ phát hiện sai", "False discovery rate", gt=0, le=0.5)


class Change(Process[ChangeParameters]):
    """Counts of two periods in each area: rates, their ratio, and how surely it changed."""

    name = "change"
    title = LocalizedText(vi="So sánh hai kỳ", en="Change between two periods")
    description = LocalizedText(
        vi="Số bản ghi mỗi ngày của hai kỳ trong từng vùng, tỷ số với khoảng tin cậy 95 %, và kiểm "
        "định nhị thức chính xác, hiệu chỉnh cho nhiều vùng (Benjamini–Hochberg). Kiểm định coi "
        "các bản ghi độc lập: sự việc dồn cụm trông chắc chắn hơn thực tế.",
        en="Records a day of two periods in each area, their ratio with its 95 % interval, and an "
        "exact binomial test, corrected for the number of areas (Benjamini–Hochberg). It takes "
        "records for independent: what comes in clumps looks surer than it is.",
    )
    parameters = ChangeParameters
    is_light = False
    examples = (
        {"records": "citizen_reports", "before": "2025-01-01/2025-12-31",
         "after": "2026-01-01/2026-12-31"},
    )  # fmt: skip

    def run(self, context: Context, parameters: ChangeParameters) -> NewCollection:
        spans = span_of(parameters.before), span_of(parameters.after)
        days = [_days(span) for span in spans]
        if spans[1].start < spans[0].end and spans[0].start < spans[1].end:  # type: ignore[operator]
            raise BadInput("the two periods overlap: give two that have no day in common")
        source = context.source(parameters.records)
        if source.time is None:
            raise BadInput(
                f"the records of {source.layer.id} have no time: they cannot be compared"
            )
        areas_of = context.source(parameters.areas, (GeometryKind.POLYGON,))
        areas = context.rows(parameters.areas, GeometryKind.POLYGON)
        counts = _counts(context, parameters, areas, spans)
        found = compared(counts["before"], counts["after"], days[0], days[1], parameters.alpha)
        fields = context.fields(areas_of, taken=_FIELDS)
        shapes = context.connection.execute(
            select(areas, func.ST_AsBinary(areas.c.geom).label("wkb")).order_by(areas.c.id)
        ).all()
        rows = [
            (bytes(shape.wkb), {name: shape._mapping[name] for name in fields} | found[at])
            for at, shape in enumerate(shapes)
        ]
        total = compared(
            [sum(counts["before"])], [sum(counts["after"])], days[0], days[1], parameters.alpha
        )[0]
        summary = {
            "days_before": days[0],
            "days_after": days[1],
            "all_areas": total,
            "changed": sum(row["change"] != "unclear" for row in found),
        }
        return NewCollection(GeometryKind.POLYGON, arranged(fields, _FIELDS), rows, summary, _STYLE)


_FIELDS = {
    "before": integer("Kỳ trước", "Before"),
    "after": integer("Kỳ sau", "After"),
    "before_per_day": number("Mỗi ngày, kỳ trước", "A day before", "/d"),
    "after_per_day": number("Mỗi ngày, kỳ sau", "A day after", "/d"),
    "ratio": number("Tỷ số", "Ratio"),
    "ratio_low": number("Tỷ số, cận dưới 95 %", "Ratio, 95 % low"),
    "ratio_high": number("Tỷ số, cận trên 95 %", "Ratio, 95 % high"),
    "p": number("p", "p"),
    "q": number("q (nhiều vùng)", "q, for all areas"),
    "change": words("Thay đổi", "Change"),
}


def compared(
    before: list[int], after: list[int], days_before: float, days_after: float, alpha: float
) -> list[dict[str, Any]]:
    """Counts of two periods compared, one dict an area, `q` over all of them.

    Given the sum of both, the later count is binomial with the later period's share of the days
    (Przyborowski and Wilenski 1940); its interval is Clopper's and Pearson's. The ratio is None
    where nothing came before.
    """
    from scipy.stats import binomtest, false_discovery_control

    share = days_after / (days_before + days_after)
    found = []
    for one, other in zip(before, after, strict=True):
        row: dict[str, Any] = {
            "before": one,
            "after": other,
            "before_per_day": one / days_before,
            "after_per_day": other / days_after,
            "ratio": None if one == 0 else other / days_after / (one / days_before),
            "ratio_low": None,
            "ratio_high": None,
            "p": 1.0,
        }
        if one + other:
            test = binomtest(other, one + other, share)
            bounds = test.proportion_ci(0.95)
            scale = days_before / days_after
            row["p"] = float(test.pvalue)
            row["ratio_low"] = float(bounds.low / (1 - bounds.low) * scale)
            row["ratio_high"] = (
                float(bounds.high / (1 - bounds.high) * scale) if bounds.high < 1 else None
            )
        found.append(row)
    q = false_discovery_control([row["p"] for row in found]) if found else []
    for row, corrected in zip(found, q, strict=True):
        more = row["after_per_day"] > row["before_per_day"]
        row["q"] = float(corrected)
        row["change"] = ("more" if more else "fewer") if corrected <= alpha else "unclear"
    return found


def _days(span: TimeSpan) -> float:
    if span.start is None or span.end is None:
        raise BadInput("a period has a start and an end: write 2026-01-01/2026-03-31")
    return round((span.end - span.start).total_seconds() / _DAY_S, 3)


def _counts(
    context: Context, parameters: ChangeParameters, areas: Any, spans: tuple[TimeSpan, TimeSpan]
) -> dict[str, list[int]]:
    """Records of each period by area, in the order of the areas' ids."""
    source = context.source(parameters.records)
    assert source.time is not None
    records = context.rows(parameters.records, names=[source.time.name])
    time = records.c[source.time.name]
    within = [
        func.count(records.c.id).filter(time >= span.start, time <= span.end) for span in spans
    ]
    statement = (
        select(areas.c.id, within[0].label("before"), within[1].label("after"))
        .select_from(areas.outerjoin(records, func.ST_Intersects(records.c.geom, areas.c.geom)))
        .group_by(areas.c.id)
        .order_by(areas.c.id)
    )
    rows = context.connection.execute(statement).all()
    return {"before": [row.before for row in rows], "after": [row.after for row in rows]}
