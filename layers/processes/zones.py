"""Zones of a process: the areas of a layer, or the hexes whose centres lie within them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from gis.errors import BadInput
from layers.definition.model import GeometryKind, LayerField, LocalizedText, Style
from layers.processes.context import Context
from layers.processes.process import (
    LayerInput,
    NewCollection,
    Row,
    arranged,
    graduated,
    parameter,
    words,
)

if TYPE_CHECKING:
    from gis.hexes import Cells

type Floats = npt.NDArray[np.float64]
type Shapes = npt.NDArray[np.object_]

MOST_HEXES = 200_000
AREAS = parameter(LayerInput(layer="communes"), "Theo các vùng", "In these areas")
HEXES = parameter(
    None, "Theo ô H3 trong các vùng, độ phân giải (trống: theo vùng)",
    "By H3 hexes within the areas, of resolution (empty: by area)", ge=5, le=10,
)  # fmt: skip


@dataclass(frozen=True)
class Zones:
    """n areas in EPSG:4326 with their properties, each a list of n; `cells` where they are hexes.

    `centres`: longitude, latitude of a point within each, shape (n, 2).
    """

    shapes: Shapes
    fields: Mapping[str, LayerField]
    properties: Mapping[str, list[Any]]
    centres: Floats
    cells: "Cells | None" = None

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def name(self) -> str:
        """What one of them is called in a summary."""
        return "areas" if self.cells is None else "hexes"


@dataclass(frozen=True)
class Column:
    """A property that was computed for each zone: an array, whose NaN is no value, or a list."""

    field: LayerField
    values: npt.NDArray[Any] | list[Any]

    def plain(self) -> list[Any]:
        if isinstance(self.values, list):
            return self.values
        return [None if value != value else value for value in self.values.tolist()]


def zones_of(context: Context, areas: LayerInput, resolution: int | None) -> Zones:
    """The areas of an input, or the hexes of a resolution within them. Raises BadInput."""
    import shapely

    if resolution is not None:
        cells, centres = hexes_within(context, areas, resolution)
        return hex_zones(cells, centres)
    source = context.source(areas, (GeometryKind.POLYGON,))
    rows = context.rows(areas, GeometryKind.POLYGON)
    fields = context.fields(source)
    found = context.connection.execute(
        select(func.ST_AsBinary(rows.c.geom).label("wkb"), *(rows.c[name] for name in fields))
        .order_by(rows.c.id)
    ).all()  # fmt: skip
    if not found:
        raise _no_area()
    shapes = shapely.from_wkb(np.array([bytes(row.wkb) for row in found], dtype=object))
    properties = {name: [row._mapping[name] for row in found] for name in fields}
    centres = shapely.get_coordinates(shapely.point_on_surface(shapes))
    return Zones(shapes, fields, properties, centres)


def hex_zones(cells: "Cells", centres: Floats) -> Zones:
    """Hexes as zones."""
    from gis.hexes import boundaries, cell_text

    return Zones(
        boundaries(cells),
        {"cell": words("Ô lục giác H3", "H3 cell")},
        {"cell": [cell_text(cell) for cell in cells.tolist()]},
        centres,
        cells,
    )


def hexes_within(context: Context, areas: LayerInput, resolution: int) -> "tuple[Cells, Floats]":
    """Hexes whose centres lie in the areas, sorted, and these centres (degrees).

    Raises BadInput where there is no area, or for too many hexes.
    """
    import h3ronpy.vector
    import shapely

    rows = context.rows(areas, GeometryKind.POLYGON, names=[])
    found = context.connection.execute(
        select(func.ST_AsBinary(func.ST_Union(rows.c.geom)))
    ).scalar()
    if found is None:
        raise _no_area()
    outline = shapely.from_wkb(bytes(found))
    edge_km = {5: 253, 6: 36, 7: 5.2, 8: 0.74, 9: 0.105, 10: 0.015}[resolution]
    rough_km2 = outline.area * 111.3 * 111.3 * np.cos(np.radians(outline.centroid.y))
    if rough_km2 / edge_km > MOST_HEXES * 1.2:
        raise BadInput(
            f"there would be more than {MOST_HEXES:,} hexes: choose a coarser resolution"
        )
    found_cells = h3ronpy.vector.geometry_to_cells(outline, resolution)
    cells = np.unique(np.asarray(found_cells, np.uint64))
    centres = h3ronpy.vector.cells_to_coordinates(cells)
    places = np.column_stack([np.asarray(centres["lng"]), np.asarray(centres["lat"])])
    return cells.astype(np.int64), places


def zonal_collection(
    zones: Zones,
    columns: Mapping[str, Column],
    summary: Mapping[str, Any],
    main: str,
    style: Style | None = None,
    title: LocalizedText | None = None,
) -> NewCollection:
    """Zones with what was computed for them, those with most of `main` first and without it last.

    Drawn by classes that hold about as many zones each, where no style is given.
    """
    import shapely

    wanted = np.array([np.nan if each is None else each for each in columns[main].plain()], float)
    order = np.argsort(np.where(np.isnan(wanted), np.inf, -wanted), kind="stable")
    own = {name: values for name, values in zones.properties.items() if name not in columns}
    plain = {**own, **{name: column.plain() for name, column in columns.items()}}
    shapes = shapely.to_wkb(zones.shapes)
    rows: list[Row] = [
        (shapes[at], {name: values[at] for name, values in plain.items()}) for at in order
    ]
    fields = arranged(
        {name: zones.fields[name] for name in own},
        {name: column.field for name, column in columns.items()},
    )
    if zones.cells is not None:
        fields = {"cell": fields["cell"], **fields}
    if style is None:
        outline = None if zones.cells is not None else "#37474f"
        style = graduated(main, class_bounds(wanted), outline)
    return NewCollection(
        GeometryKind.POLYGON, fields, rows, {zones.name: len(zones), **summary}, style, title
    )


def class_bounds(values: Floats, classes: int = 5) -> list[float]:
    """Lowest values of classes that hold about as many of the values each; fewer where many values
    are the same, and one of 0 where there is none.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return [0.0]
    bounds = np.unique(np.quantile(known, np.arange(classes) / classes, method="lower"))
    return [float(bound) for bound in bounds]


def _no_area() -> BadInput:
    return BadInput("there is no area: the layer has none that meets the filter")
