"""Select: items of a layer by where they lie towards an area, or towards another layer."""

from typing import Any, Literal, Self

from pydantic import model_validator
from sqlalchemy import Double, Subquery, exists, func, literal_column, select, true
from sqlalchemy.sql.elements import ColumnElement

from layers.definition.model import LocalizedText
from layers.processes.context import Context
from layers.processes.geometry import are_near, metres_between, shape_of
from layers.processes.process import (
    LayerInput,
    Metres,
    NewCollection,
    Parameters,
    Process,
    Shape,
    arranged,
    integer,
    number,
    parameter,
    words,
)

_MOST_METRES_A_DEGREE: ColumnElement[Any] = literal_column("111700", Double())
_HALF_THE_EARTH = "20100000"  # metres: where there are fewer than are asked for, all are near

Relation = Literal["intersects", "within", "near", "not_near", "nearest"]
_LABELS = {
    "intersects": "giao với",
    "within": "nằm trọn trong",
    "near": "cách không quá",
    "not_near": "cách xa hơn",
    "nearest": "các đối tượng gần nhất",
}


class SelectParameters(Parameters):
    """Which items are wanted: `of` a layer, or of an `area` that is drawn."""

    layer: LayerInput = parameter(..., "Chọn từ lớp", "Select from layer")
    relation: Relation = parameter("near", "Quan hệ", "Relation", extra={"labels_vi": _LABELS})
    of: LayerInput | None = parameter(None, "với lớp", "to the layer")
    area: Shape | None = parameter(None, "hoặc với hình đã vẽ", "or to a shape (GeoJSON)")
    distance_m: Metres | None = parameter(
        None, "Khoảng cách (m)", "Distance (m)", extra={"unit": "m"}
    )
    k: int = parameter(1, "Số đối tượng gần nhất", "How many nearest", ge=1, le=20)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.of is None) == (self.area is None):
            raise ValueError("give either `of`, a layer, or `area`, a shape")
        if self.relation in ("near", "not_near") and self.distance_m is None:
            raise ValueError(f"`{self.relation}` needs `distance_m`, in metres")
        if self.relation == "nearest" and self.of is None:
            raise ValueError("`nearest` needs `of`, the layer whose items are looked for")
        return self


class SelectRows(Process[SelectParameters]):
    """Items within, near, or not near something; or with their nearest neighbours."""

    name = "select"
    title = LocalizedText(vi="Chọn theo vị trí", en="Select by place")
    description = LocalizedText(
        vi="Đối tượng nằm trong, giao với, gần hoặc xa một lớp khác hay một hình; hoặc k đối tượng "
        "gần nhất của mỗi đối tượng. Khoảng cách tính bằng mét trên mặt đất.",
        en="Items within, intersecting, near or not near another layer or a shape; or each item "
        "with its k nearest of another layer. Distances are geodesic, in metres.",
    )
    parameters = SelectParameters
    examples = (
        {"layer": "citizen_reports", "relation": "near", "of": "landslides", "distance_m": 5000},
        {"layer": "communes", "relation": "nearest", "of": "landslides"},
    )

    def run(self, context: Context, parameters: SelectParameters) -> NewCollection:
        source = context.source(parameters.layer)
        rows = context.rows(parameters.layer)
        if parameters.relation == "nearest":
            assert parameters.of is not None
            return _nearest(context, parameters, rows)
        fields = context.fields(source)
        condition = _condition(context, parameters, rows)
        statement = select(rows).where(condition).order_by(rows.c.id)
        total = context.count(rows)
        return NewCollection(source.layer.geometry, fields, statement, {"of_items": total})


def _condition(
    context: Context, parameters: SelectParameters, rows: Subquery
) -> ColumnElement[bool]:
    if parameters.area is not None:
        return _related(parameters, rows.c.geom, shape_of(parameters.area))
    assert parameters.of is not None
    others = context.rows(parameters.of, names=[])
    if parameters.relation != "within":
        # The index of the others answers for each row.
        met = exists(select(1).where(_related(parameters, others.c.geom, rows.c.geom, found=True)))
        return ~met if parameters.relation == "not_near" else met
    return exists(select(1).where(func.ST_CoveredBy(rows.c.geom, others.c.geom)))


def _related(
    parameters: SelectParameters,
    one: ColumnElement[Any],
    other: ColumnElement[Any],
    *,
    found: bool = False,
) -> ColumnElement[bool]:
    """`found`: for `not_near`, that it is near, to be negated by the caller."""
    if parameters.relation == "within":
        return func.ST_CoveredBy(one, other)
    if parameters.relation == "intersects":
        return func.ST_Intersects(one, other)
    assert parameters.distance_m is not None
    near = are_near(one, other, parameters.distance_m)
    return ~near if parameters.relation == "not_near" and not found else near


def _nearest(context: Context, parameters: SelectParameters, rows: Subquery) -> NewCollection:
    """Exact though the index counts in degrees: the k nearest by degrees give a distance within
    which the k nearest by metres must be, and all within it are compared.
    """
    assert parameters.of is not None
    other = context.source(parameters.of)
    named = _name_of(other)
    others = context.rows(parameters.of, names=[])
    degrees: ColumnElement[Any] = others.c.geom.op("<->", return_type=Double())(rows.c.geom)
    bound = (
        select((degrees * _MOST_METRES_A_DEGREE).label("metres"))
        .select_from(others)
        .order_by(degrees)
        .offset(parameters.k - 1)
        .limit(1)
        .lateral("bound")
    )
    limit_m = func.coalesce(bound.c.metres, literal_column(_HALF_THE_EARTH))
    near = context.rows(parameters.of, names=[named] if named else []).alias("near_rows")
    metres = metres_between(near.c.geom, rows.c.geom)
    title = near.c[named] if named else near.c.id
    found = (
        select(near.c.id.label("near_id"), title.label("near_name"), metres.label("distance_m"),
               func.row_number().over(order_by=[metres, near.c.id]).label("rank"))
        .where(are_near(near.c.geom, rows.c.geom, limit_m))
        .order_by(metres, near.c.id)
        .limit(parameters.k)
        .lateral("found")
    )  # fmt: skip
    added = {
        "rank": integer("Thứ tự gần", "Rank"),
        "near_id": integer("Mã đối tượng gần", "Id of the near item"),
        "near_name": words("Đối tượng gần", "Near item"),
        "distance_m": number("Khoảng cách", "Distance", "m"),
    }
    source = context.source(parameters.layer)
    fields = context.fields(source, taken=added)
    statement = (
        select(rows.c.geom, *(rows.c[name] for name in fields), found.c.rank, found.c.near_id,
               func.concat(found.c.near_name).label("near_name"), found.c.distance_m)
        .select_from(rows.outerjoin(bound, true()).join(found, true()))
        .order_by(rows.c.id, found.c.rank)
    )  # fmt: skip
    return NewCollection(
        source.layer.geometry, arranged(fields, added), statement, {"of_items": context.count(rows)}
    )


def _name_of(source: Any) -> str | None:
    """The property that names an item: that of the labels, or the first one called a name."""
    wanted = (source.layer.style.text, "full_name", "name", "title", "code")
    return next((name for name in wanted if name in source.by_name), None)
