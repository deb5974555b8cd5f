"""People: how many inhabitants live within areas, or near items of a layer."""

from typing import Any

import numpy as np
from sqlalchemy import func, select, text

from layers.definition.model import GeometryKind, LocalizedText
from layers.processes.context import Context
from layers.processes.geometry import buffered
from layers.processes.process import (
    LayerInput,
    Metres,
    NewCollection,
    Parameters,
    Process,
    Row,
    arranged,
    number,
    parameter,
)


class PeopleParameters(Parameters):
    """Whose surroundings are counted, and how far around."""

    layer: LayerInput = parameter(..., "Trong các vùng, hoặc quanh các đối tượng của lớp",
                                  "Within the areas, or around the items, of layer")  # fmt: skip
    distance_m: Metres | None = parameter(
        None, "Trong bán kính (m; trống: trong vùng)", "Within metres (empty: inside the areas)",
        extra={"unit": "m"},
    )  # fmt: skip
    resolution: int = parameter(9, "Độ phân giải ô H3", "H3 resolution of people", ge=7, le=10)


class People(Process[PeopleParameters]):
    """Inhabitants of hexes whose centres lie within."""

    name = "people"
    title = LocalizedText(vi="Số dân trong vùng", en="People within")
    description = LocalizedText(
        vi="Số dân trong từng vùng, hoặc quanh từng đối tượng, và tổng không trùng lặp; theo dân "
        "số đã nạp, đếm ở tâm ô lục giác.",
        en="Inhabitants of each area, or around each item, and of all together, each once; of the "
        "population that is loaded, counted at the centres of hexes.",
    )
    parameters = PeopleParameters
    is_light = False
    examples = ({"layer": "communes"},)

    def run(self, context: Context, parameters: PeopleParameters) -> NewCollection:
        import shapely
        from h3ronpy.vector import cells_to_coordinates

        from gis.population.store import require_population

        population = require_population(context.connection)
        kinds = () if parameters.distance_m else (GeometryKind.POLYGON,)
        source = context.source(parameters.layer, kinds)
        rows = context.rows(parameters.layer, *kinds)
        shape = rows.c.geom
        area: Any = buffered(shape, parameters.distance_m) if parameters.distance_m else shape
        fields = context.fields(source, taken=["people"])
        found = context.connection.execute(
            select(func.ST_AsBinary(area).label("wkb"), *(rows.c[name] for name in fields))
            .order_by(rows.c.id)
        ).all()  # fmt: skip
        shapes = shapely.from_wkb(np.array([bytes(row.wkb) for row in found], dtype=object))
        people = context.connection.execute(_PEOPLE, {"resolution": parameters.resolution}).all()
        cells = np.array([row.cell for row in people], np.uint64)
        numbers = np.array([row.people for row in people], float)
        centres = cells_to_coordinates(cells)
        points = shapely.points(np.asarray(centres["lng"]), np.asarray(centres["lat"]))
        at, of = shapely.STRtree(shapes).query(points, predicate="intersects")
        sums = np.bincount(of, numbers[at], minlength=len(found))
        made: list[Row] = [
            (shapely.to_wkb(one), {**_plain(row, fields), "people": float(total)})
            for one, row, total in zip(shapes, found, sums, strict=True)
        ]
        summary = {
            "people": float(numbers[np.unique(at)].sum()),
            "of_people": float(numbers.sum()),
            "population_quality": population.quality.value,
            "population_source": population.source,
            "resolution": parameters.resolution,
        }
        added = {"people": number("Số dân", "People")}
        return NewCollection(GeometryKind.POLYGON, arranged(fields, added), made, summary)


_PEOPLE = text(
    "SELECT cell, people FROM gis.population WHERE (cell >> 52) & 15 = :resolution ORDER BY cell"
)


def _plain(row: Any, names: Any) -> dict[str, Any]:
    """Values as JSON has them: orjson writes days and instants itself."""
    return {name: row._mapping[name] for name in names}
