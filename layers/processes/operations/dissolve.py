"""Dissolve: items of one value joined into one."""

from sqlalchemy import func, select

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context, field_of
from layers.processes.geometry import area_km2, length_km
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Parameters,
    Process,
    integer,
    number,
    parameter,
)


class DissolveParameters(Parameters):
    """What is joined, and by what."""

    layer: LayerInput = parameter(..., "Lớp đường hoặc vùng", "Layer of lines or areas")
    by: str | None = parameter(
        None, "Theo trường (trống: tất cả)", "By property (empty: all)", max_length=60,
        extra={"format": "property"},
    )  # fmt: skip


class Dissolve(Process[DissolveParameters]):
    """Lines or areas joined, by the value of a property."""

    name = "dissolve"
    title = LocalizedText(vi="Gộp đối tượng", en="Dissolve")
    description = LocalizedText(
        vi="Gộp các đường hoặc vùng có cùng giá trị của một trường thành một.",
        en="Joins lines or areas that have the same value of a property.",
    )
    parameters = DissolveParameters
    examples = ({"layer": "communes", "by": "kind"},)

    def run(self, context: Context, parameters: DissolveParameters) -> NewCollection:
        kinds = (GeometryKind.POLYGON, GeometryKind.LINE)
        source = context.source(parameters.layer, kinds)
        by = source.by_name.get(parameters.by) if parameters.by else None
        if parameters.by and by is None:
            raise BadInput(
                f"{source.layer.id} has no property {parameters.by!r}: it has "
                f"{', '.join(source.by_name)}"
            )
        rows = context.rows(parameters.layer, *kinds, names=[by.name] if by else [])
        keys = [rows.c[by.name]] if by else []
        joined = select(*keys, func.ST_Union(rows.c.geom).label("geom"),
                        func.count().label("items")).group_by(*keys).subquery()  # fmt: skip
        is_area = source.layer.geometry is GeometryKind.POLYGON
        size = area_km2(joined.c.geom) if is_area else length_km(joined.c.geom)
        name = "area_km2" if is_area else "length_km"
        statement = select(joined, size.label(name)).where(joined.c.geom.is_not(None))
        statement = statement.order_by(*(joined.c[key.name] for key in keys))
        label = (
            number("Diện tích", "Area", "km2") if is_area else number("Chiều dài", "Length", "km")
        )
        fields = {"items": integer("Số đối tượng", "Items"), name: label}
        if by is not None:
            fields = {by.name: field_of(by)} | fields
        return NewCollection(source.layer.geometry, fields, statement)
