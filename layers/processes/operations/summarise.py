"""Summarise: how many points, how much of lines or areas, lies in each area."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import model_validator
from sqlalchemy import (
    ColumnElement,
    Double,
    Row,
    Subquery,
    case,
    cast,
    func,
    null,
    select,
    true,
    union,
)

from layers.definition.model import GeometryKind, LayerField, LocalizedText
from layers.processes.context import Context, conditions_of
from layers.processes.geometry import area_km2, length_km
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    arranged,
    graduated,
    integer,
    number,
    parameter,
)

Statistic = Literal["sum", "mean", "median", "minimum", "maximum"]


class SummariseParameters(Parameters):
    """What is counted, and in which areas."""

    records: LayerInput = parameter(..., "Thống kê lớp", "Records to summarise")
    areas: LayerInput = parameter(LayerInput(layer="communes"), "Theo các vùng", "In these areas")
    field: str | None = parameter(
        None, "Trường số (nếu cần)", "Number property, if wanted", max_length=60,
        extra={"format": "property"},
    )  # fmt: skip
    statistic: Statistic = parameter(
        "mean", "Đại lượng của trường", "Statistic of the property",
        extra={"labels_vi": {"sum": "tổng", "mean": "trung bình", "median": "trung vị",
                             "minimum": "nhỏ nhất", "maximum": "lớn nhất"}},
    )  # fmt: skip
    per_km2: bool = parameter(True, "Tính mật độ trên km²", "Density per km²")

    @model_validator(mode="after")
    def _two_layers(self) -> Self:
        if self.records == self.areas:
            raise ValueError("`records` and `areas` are the same")
        return self


class Summarise(Process[SummariseParameters]):
    """Counts of points, lengths of lines and overlaps of areas, by area."""

    name = "summarise"
    title = LocalizedText(vi="Thống kê trong vùng", en="Summarise within")
    description = LocalizedText(
        vi="Trong mỗi vùng: số điểm, chiều dài đường (km) hoặc diện tích phủ (km²), và một đại "
        "lượng của một trường số. Đường và vùng được cắt theo ranh giới.",
        en="In each area: the number of points, the length of lines (km) or the area covered "
        "(km²), and a statistic of a number. Lines and areas are cut at the borders.",
    )
    parameters = SummariseParameters
    examples = ({"records": "citizen_reports"},)

    def run(self, context: Context, parameters: SummariseParameters) -> NewCollection:
        areas_of = context.source(parameters.areas, (GeometryKind.POLYGON,))
        source = context.source(parameters.records)
        kind = source.layer.geometry
        measured = [] if parameters.field is None else [parameters.field]
        for name in measured:
            context.numeric(source, name)
        areas = context.rows(parameters.areas, GeometryKind.POLYGON)
        records = context.rows(parameters.records, kind, names=measured)
        counts = _counts_of_points if kind is GeometryKind.POINT else _counts_of_shapes
        found, inside, in_several = counts(context, records, areas, parameters)
        total = context.count(records)
        by_area = {row.area: row for row in found}
        added = _fields(kind, parameters)
        fields = context.fields(areas_of, taken=added)
        shapes = context.connection.execute(
            select(areas, func.ST_AsBinary(areas.c.geom).label("wkb"),
                   area_km2(areas.c.geom).label("its_km2")).order_by(areas.c.id)
        ).all()  # fmt: skip
        rows = [
            (bytes(shape.wkb), {name: shape._mapping[name] for name in fields}
             | _measures(kind, parameters, by_area.get(shape.id), shape.its_km2))
            for shape in shapes
        ]  # fmt: skip
        rows.sort(key=lambda row: -row[1][_main(kind)])
        summary = {
            "records": total,
            "areas": len(rows),
            "outside": total - inside,
            "in_several": in_several,
            "without_place": _without_place(context, parameters.records),
        }
        style = graduated(_main(kind), _bounds([row[1][_main(kind)] for row in rows]))
        return NewCollection(GeometryKind.POLYGON, arranged(fields, added), rows, summary, style)


_SIZES = {GeometryKind.LINE: "length_km", GeometryKind.POLYGON: "covered_km2"}


def _main(kind: GeometryKind) -> str:
    return _SIZES.get(kind, "count")


type Counts = tuple[Sequence[Row[Any]], int, int]


def _counts_of_points(
    context: Context, records: Subquery, areas: Subquery, parameters: SummariseParameters
) -> Counts:
    """Rows by area, the number of points in any area, and that of points in several.

    A point is in several where areas meet or overlap: only where the boxes of two such areas do is
    it looked for, so that no pair of a point and an area is kept.
    """
    value = _value(records, parameters.field)
    within = func.ST_Intersects(records.c.geom, areas.c.geom)
    found = context.connection.execute(
        select(
            areas.c.id.label("area"),
            func.count().label("count"),
            cast(null(), Double()).label("size"),
            _statistic(parameters.statistic, value).label("value"),
        )
        .select_from(records.join(areas, within))
        .group_by(areas.c.id)
    ).all()
    one, other = areas.alias("one"), areas.alias("other")
    envelopes = func.ST_Envelope(one.c.geom), func.ST_Envelope(other.c.geom)
    touching = (
        select(
            one.c.id.label("one"), other.c.id.label("other"), one.c.geom.label("one_geom"),
            other.c.geom.label("other_geom"), func.ST_Intersection(*envelopes).label("box"),
        )
        .join(other, (one.c.id < other.c.id) & func.ST_Intersects(one.c.geom, other.c.geom))
        .cte("touching").prefix_with("MATERIALIZED", dialect="postgresql")
    )  # fmt: skip
    both = (
        select(records.c.id.label("record"), touching.c.one, touching.c.other)
        .join(
            touching,
            records.c.geom.op("&&", is_comparison=True)(touching.c.box)
            & func.ST_Intersects(records.c.geom, touching.c.one_geom)
            & func.ST_Intersects(records.c.geom, touching.c.other_geom),
        )
    ).cte("both")  # fmt: skip
    sides = union(select(both.c.record, both.c.one), select(both.c.record, both.c.other)).subquery()
    times = (select(func.count().label("n")).select_from(sides).group_by(sides.c.record)).subquery(
        "times"
    )
    several, surplus = context.connection.execute(
        select(func.count(), func.coalesce(func.sum(times.c.n - 1), 0)).select_from(times)
    ).one()
    met = sum(row._mapping["count"] for row in found)
    return found, met - int(surplus), int(several)


def _counts_of_shapes(
    context: Context, records: Subquery, areas: Subquery, parameters: SummariseParameters
) -> Counts:
    """The same of lines and areas, with the size of the parts that lie in an area (km or km²)."""
    part = case(
        (func.ST_CoveredBy(records.c.geom, areas.c.geom), records.c.geom),
        else_=func.ST_Intersection(records.c.geom, areas.c.geom),
    )
    kind = context.source(parameters.records).layer.geometry
    size = length_km(part) if kind is GeometryKind.LINE else area_km2(part)
    pairs = (
        select(
            records.c.id.label("record"),
            areas.c.id.label("area"),
            size.label("size"),
            _value(records, parameters.field).label("value"),
        )
        .select_from(records.join(areas, func.ST_Intersects(records.c.geom, areas.c.geom)))
        .cte("pairs")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    times = (
        select(func.count().label("n"))
        .select_from(pairs)
        .group_by(pairs.c.record)
        .subquery("times")
    )
    per_area = (
        select(
            pairs.c.area,
            func.count().label("count"),
            func.sum(pairs.c.size).label("size"),
            _statistic(parameters.statistic, pairs.c.value).label("value"),
        )
        .group_by(pairs.c.area)
        .subquery()
    )
    proof = select(
        select(func.count().filter(times.c.n > 1)).scalar_subquery().label("p1"),
        select(func.count()).select_from(times).scalar_subquery().label("p2"),
    ).subquery("proof")
    found = context.connection.execute(
        select(per_area, proof).select_from(proof.outerjoin(per_area, true()))
    ).all()
    return found, found[0].p2, found[0].p1


def _value(records: Subquery, field: str | None) -> ColumnElement[Any]:
    return cast(null(), Double()) if field is None else cast(records.c[field], Double())


def _statistic(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    if name == "median":
        return func.percentile_cont(0.5).within_group(value)
    function = {"sum": "sum", "mean": "avg", "minimum": "min", "maximum": "max"}[name]
    statistic: ColumnElement[Any] = getattr(func, function)(value)
    return statistic


def _fields(kind: GeometryKind, parameters: SummariseParameters) -> dict[str, LayerField]:
    fields = {"count": integer("Số lượng", "Count")}
    if kind is GeometryKind.LINE:
        fields["length_km"] = number("Chiều dài", "Length", "km")
    elif kind is GeometryKind.POLYGON:
        fields["covered_km2"] = number("Diện tích phủ", "Area covered", "km2")
    if parameters.field is not None:
        label = f"{parameters.field} ({parameters.statistic})"
        fields["value"] = number(label, label)
    if parameters.per_km2:
        fields["per_km2"] = number("Trên km²", "Per km²", "/km2")
    return fields


def _measures(
    kind: GeometryKind, parameters: SummariseParameters, found: Any, area: float
) -> dict[str, Any]:
    values: dict[str, Any] = {"count": found._mapping["count"] if found else 0}
    if kind in _SIZES:
        values[_SIZES[kind]] = found.size if found else 0.0
    if parameters.field is not None:
        values["value"] = found.value if found else None
    if parameters.per_km2:
        values["per_km2"] = values[_main(kind)] / area if area else None
    return values


def _without_place(context: Context, given: LayerInput) -> int:
    """Records that are known by their unit alone, or not at all: no shape can hold them."""
    source = context.source(given)
    assert source.geometry is not None
    rows = (
        select(1)
        .select_from(source.table)
        .where(*conditions_of(source, given), source.geometry.is_(None))
    )
    return context.count(rows.subquery())


def _bounds(values: list[float]) -> list[float]:
    """Classes by multiples of the mean of an area."""
    mean = sum(values) / max(len(values), 1) or 1.0
    return [0.0, *(mean * factor for factor in (0.25, 0.5, 1.0, 2.0))]
