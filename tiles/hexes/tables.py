"""Measures of hexes at one resolution, as everybody who works with the layer may see them."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from gis.hexes import Cells, areas_km2, cells_of_resolution, descendants, parents_of
from gis.population.store import PopulationQuality, people_of, stored_population
from layers.definition.model import Layer
from layers.storage.tables import SizeMeasure, size_measure
from tiles.hexes.queries import HexQuery
from tiles.hexes.sources import counts_of, day_counts_of, day_resolution
from tiles.hexes.suppression import Mask, Numbers

_SPAN_STEPS = 2  # cells are looked up by the spans of ancestors so many resolutions coarser
_DIGITS = 4
LEAST_PEOPLE = 50  # with fewer inhabitants one record more or less makes another rate
FLAGS = ("partial", "approximate")  # measures that are true where they are present

type Measures = dict[str, float | int | bool]


@dataclass(frozen=True)
class HexTable:
    """Cells in their order, and of each: its records; those of all categories, where one is asked
    for; the mean of the layer's measure (NaN: none); whether records may be missing from it; its
    inhabitants, and whether these are spread evenly over their communes; of lines and areas the
    metres or square metres in it.
    """

    cells: Cells
    records: Numbers
    of_all: Numbers | None = None
    means: npt.NDArray[np.float64] | None = None
    partial: Mask | None = None
    people: npt.NDArray[np.float64] | None = None
    approximate: bool = False
    sizes: npt.NDArray[np.float64] | None = None
    size_measure: SizeMeasure | None = None

    def where(self, mask: Mask) -> "HexTable":
        return HexTable(
            self.cells[mask],
            self.records[mask],
            None if self.of_all is None else self.of_all[mask],
            None if self.means is None else self.means[mask],
            None if self.partial is None else self.partial[mask],
            None if self.people is None else self.people[mask],
            self.approximate,
            None if self.sizes is None else self.sizes[mask],
            self.size_measure,
        )

    def within(self, cells: Cells | None) -> "HexTable":
        """The table of these cells alone; None: of all."""
        return self if cells is None else self.where(np.isin(self.cells, cells))

    def measures(self) -> list[Measures]:
        """Measures of each cell: `count`; `per_km2`; `length_km` of lines or `covered_km2` of
        areas; `share` of all categories (0–1); `mean`; `partial`; `per_1000` inhabitants, where
        there are LEAST_PEOPLE, and whether it is `approximate`.
        """
        rows: list[Measures] = [
            {"count": int(count), "per_km2": _rounded(count / area)}
            for count, area in zip(self.records, areas_km2(self.cells), strict=True)
        ]
        for n, row in enumerate(rows):
            if self.sizes is not None and self.size_measure is not None:
                row[self.size_measure.name] = _rounded(self.sizes[n] / self.size_measure.unit)
            if self.of_all is not None:
                row["share"] = _rounded(self.records[n] / self.of_all[n])
            if self.means is not None and not np.isnan(self.means[n]):
                row["mean"] = _rounded(self.means[n])
            if self.partial is not None and self.partial[n]:
                row["partial"] = True
            row |= self._rate(n)
        return rows

    def _rate(self, n: int) -> Measures:
        if self.people is None or self.people[n] < LEAST_PEOPLE:
            return {}
        rate: Measures = {"per_1000": _rounded(1000 * self.records[n] / self.people[n])}
        return rate | {"approximate": True} if self.approximate else rate


def read_table(
    connection: Connection,
    layer: Layer,
    question: HexQuery,
    resolution: int,
    cells: Cells | None = None,
) -> HexTable:
    """The cells that have records, among `cells` of that resolution; None: among all."""
    days = question.days
    values = {
        "layer": layer.id,
        "resolution": resolution,
        "category": question.category,
        "first": (days and days.first) or "-infinity",
        "last": (days and days.last) or "infinity",
        **_spans(cells, resolution if days is None else day_resolution(layer, resolution)),
    }
    measure = size_measure(layer)
    size = "coalesce(sum(size) FILTER (WHERE wanted), 0)" if measure else "0::float8"
    relation = counts_of(layer) if days is None else day_counts_of(layer)
    statement = (_TOTALS if days is None else _BY_DAY).format(counts=relation, size=size)
    rows = connection.execute(text(statement), values).all()
    columns = list(zip(*rows, strict=True)) or [()] * 6
    row_cells, records, of_all, valued, total, sizes = (np.asarray(column) for column in columns)
    numbers = valued.astype(np.float64)
    means = np.divide(
        total.astype(np.float64), numbers, out=np.full(len(rows), np.nan), where=numbers > 0
    )
    return HexTable(
        row_cells.astype(np.int64),
        records.astype(np.int64),
        None if question.category is None else of_all.astype(np.int64),
        None if layer.hexes is None or layer.hexes.measure is None else means,
        sizes=sizes.astype(np.float64) if measure else None,
        size_measure=measure,
    ).within(cells)


def with_people(connection: Connection, table: HexTable) -> HexTable:
    """The table with the inhabitants of its hexes; as it is where none are loaded."""
    population = stored_population(connection)
    if population is None:
        return table
    approximate = population.quality is PopulationQuality.APPROXIMATE
    return replace(table, people=people_of(connection, table.cells), approximate=approximate)


def _spans(cells: Cells | None, resolution: int) -> dict[str, list[int]]:
    """Bounds of the rows to read, at a resolution: those of all where all are wanted."""
    if cells is None:
        spans = [cells_of_resolution(resolution)]
    elif len(cells) == 0:
        spans = []
    else:
        own = int(cells[0] >> 52) & 15
        ancestors = np.unique(parents_of(cells, max(own - _SPAN_STEPS, 0)))
        spans = [descendants(int(cell), resolution) for cell in ancestors]
    return {"firsts": [span.first for span in spans], "lasts": [span.last for span in spans]}


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


_SUMS = """
  coalesce(sum(count) FILTER (WHERE wanted), 0), sum(count),
  coalesce(sum(valued) FILTER (WHERE wanted), 0),
  coalesce(sum(total) FILTER (WHERE wanted), 0)::float8, {size}"""
_TOTALS = f"""
SELECT cell, {_SUMS}
FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS span (first, last)
JOIN {{counts}} AS counts ON counts.layer_id = :layer AND counts.resolution = :resolution
  AND counts.cell BETWEEN span.first AND span.last,
  LATERAL (SELECT CAST(:category AS text) IS NULL OR category = :category) AS chosen (wanted)
GROUP BY cell HAVING bool_or(wanted) ORDER BY cell
"""  # noqa: S608 (no part comes from outside)
# A row without a time is in no window, also not in one with open ends; as it is with items.
_BY_DAY = f"""
SELECT gis.h3_parent(cell, :resolution), {_SUMS}
FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS span (first, last)
JOIN {{counts}} AS counts ON counts.layer_id = :layer
  AND counts.cell BETWEEN span.first AND span.last
  AND counts.day BETWEEN CAST(:first AS date) AND CAST(:last AS date) AND counts.day <> '-infinity',
  LATERAL (SELECT CAST(:category AS text) IS NULL OR category = :category) AS chosen (wanted)
GROUP BY 1 HAVING bool_or(wanted) ORDER BY 1
"""  # noqa: S608 (no part comes from outside)
