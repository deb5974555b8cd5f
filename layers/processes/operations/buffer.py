"""Buffer: the area around each item, or around all of them."""

from sqlalchemy import func, select

from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context
from layers.processes.geometry import PLANE, area_km2, buffered
from layers.processes.process import (
    LayerInput,
    Metres,
    NewCollection,
    Parameters,
    Process,
    arranged,
    integer,
    number,
    parameter,
)


class BufferParameters(Parameters):
    """What is buffered, and how far."""

    layer: LayerInput = parameter(..., "Lớp dữ liệu", "Layer")
    distance_m: Metres = parameter(..., "Khoảng cách (m)", "Distance (m)", extra={"unit": "m"})
    dissolve: bool = parameter(False, "Gộp thành một vùng", "Join them into one area")


class Buffer(Process[BufferParameters]):
    """The area within so many metres of each item."""

    name = "buffer"
    title = LocalizedText(vi="Vùng đệm", en="Buffer")
    description = LocalizedText(
        vi="Vùng cách mỗi đối tượng không quá số mét đã cho; tính trong VN-2000 (EPSG:9208).",
        en="The area within so many metres of each item, made in VN-2000 (EPSG:9208).",
    )
    parameters = BufferParameters
    examples = ({"layer": "landslides", "distance_m": 500},)

    def run(self, context: Context, parameters: BufferParameters) -> NewCollection:
        source = context.source(parameters.layer)
        rows = context.rows(parameters.layer)
        area = number("Diện tích", "Area", "km2")
        if parameters.dissolve:
            circle = func.ST_Buffer(
                func.ST_Transform(rows.c.geom, PLANE), parameters.distance_m, 16
            )
            shape = func.ST_Transform(func.ST_Union(circle), 4326)
            one = select(shape.label("geom"), func.count().label("items")).subquery()
            statement = select(one.c.geom, one.c["items"], area_km2(one.c.geom).label("area_km2"))
            statement = statement.where(one.c.geom.is_not(None))
            fields = {"items": integer("Số đối tượng", "Items"), "area_km2": area}
            return NewCollection(GeometryKind.POLYGON, fields, statement)
        fields = context.fields(source, taken=["buffer_km2"])
        around = buffered(rows.c.geom, parameters.distance_m).label("geom")
        made = select(*(rows.c[name] for name in fields), rows.c.id, around).subquery()
        statement = select(made, area_km2(made.c.geom).label("buffer_km2")).order_by(made.c.id)
        return NewCollection(
            GeometryKind.POLYGON, arranged(fields, {"buffer_km2": area}), statement
        )
