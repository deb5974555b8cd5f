"""Public counts of a layer's hexes (k-anonymity): those with fewer than k records are hidden.

Three tables are shown, and nothing else:

1. records by cell, over all time and all categories, at every resolution: a tree, each cell being
   a part of its parent;
2. records by cell and category, over all time, of the cells of 1 at one resolution, the filter
   resolution: each a part of its cell;
3. records by cell and calendar month, of all categories, of the same cells: parts of them too.

Each is suppressed by tiles.hexes.suppression. All other answers are sums of shown numbers: of
months, or of the cells within a coarser one (these say `partial`, as hidden parts are not in them).

Why this is safe. Let somebody add and subtract as they like. Within a cell of the filter resolution
the three tables are the margins of one table of smaller cells × categories × months. A set whose
records can be counted from margins is a union of the parts of one margin: a sum f(cell) +
g(category) + h(month) that is only ever 0 or 1 depends on one of them alone. Unions of parts stand
for no record or for at least k: so it is with the shown parts, and with the hidden ones, which are
only known together. Of a part of one margin that is also of a part of another, with a and b of n
records, only bounds are known, max(0, a + b − n) and min(a, b) (Fréchet); as a, b, n − a and n − b
are 0 or at least k, these are equal or at least k apart. A month and a category together are
therefore never answered, nor days that are not months, nor a category of finer cells.

A rate is a shown count over the inhabitants of its hex, who are public: it tells nothing more.

Lines and areas count in each hex that holds a part of them, so that smaller hexes are no parts of a
coarser one, and what lies in it but not in one of them could be told from two shown numbers. Of
these layers the public sees hexes of the filter resolution alone: their sets overlap in a way that
no count tells, and each set that is known stands for at least k.

What it does not hide: that a shown number changes when a record comes in.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from sqlalchemy import Connection, text

from gis.hexes import Cells, cells_of_resolution, parents_of
from layers.definition.model import Layer
from layers.storage.tables import has_hex_cover
from tiles.hexes.queries import HexQuery, filter_resolution
from tiles.hexes.rights import hex_options
from tiles.hexes.sources import counts_of, day_counts_of, day_resolution
from tiles.hexes.suppression import (
    Counts,
    CountsByResolution,
    Numbers,
    gathered,
    may_be_shown,
    shown_tree,
    summed,
)
from tiles.hexes.tables import HexTable


@dataclass(frozen=True)
class Parts:
    """Records of parts of cells: which cell, which part (a category or a month), how many."""

    cells: Cells
    labels: tuple[str | date, ...]
    records: Numbers

    def only(self, wanted: list[bool]) -> Counts:
        """The cells of the parts that are wanted, summed."""
        mask = np.asarray(wanted, dtype=np.bool_)
        return summed(self.cells[mask], self.records[mask])


class PartKind(StrEnum):
    """Into what cells of the filter resolution fall."""

    CATEGORIES = "categories"
    MONTHS = "months"

    @classmethod
    def of(cls, question: HexQuery) -> "PartKind":
        return cls.CATEGORIES if question.days is None else cls.MONTHS


def read_tree(connection: Connection, layer: Layer, resolution: int, k: int) -> CountsByResolution:
    """The first table down to a resolution, from the counts that `connection` sees; of lines and
    areas at this resolution alone.
    """
    statement = text(_COUNTS.format(counts=counts_of(layer)))
    columns = connection.execute(statement, _at(layer, resolution)).one()
    cells, records = (np.frombuffer(part or b"", ">i8").astype(np.int64) for part in columns)
    counts = summed(cells, records)
    of_shapes = {resolution: counts}
    return shown_tree(of_shapes if has_hex_cover(layer) else gathered(counts, resolution), k)


def read_parts(
    connection: Connection, layer: Layer, kind: PartKind, tree: CountsByResolution, k: int
) -> Parts:
    """The second or the third table, of the cells that the first shows."""
    resolution = filter_resolution(hex_options(layer))
    relation = counts_of(layer) if kind is PartKind.CATEGORIES else day_counts_of(layer)
    statement = text(_PARTS[kind].format(counts=relation))
    columns = connection.execute(statement, _at(layer, resolution)).one()
    cells, records = (np.asarray(columns[n] or [], dtype=np.int64) for n in (0, 2))
    return shown_parts(Parts(cells, tuple(columns[1] or ()), records), tree[resolution], k)


def shown_parts(parts: Parts, shown: Counts, k: int) -> Parts:
    """The parts of cells that may be shown; `shown` are the cells that the tree shows."""
    seen = np.flatnonzero(np.isin(parts.cells, shown.cells))
    seen = seen[may_be_shown(parts.cells[seen], parts.records[seen], k)]
    return Parts(parts.cells[seen], tuple(parts.labels[n] for n in seen), parts.records[seen])


def everything(tree: CountsByResolution, resolution: int) -> HexTable:
    shown = tree[resolution]
    return HexTable(shown.cells, shown.records)


def parts_table(
    tree: CountsByResolution, parts: Parts, question: HexQuery, resolution: int, filtered: int
) -> HexTable:
    """The answer from parts of cells of `filtered`, the filter resolution, or a coarser one.

    What is `partial` is known from what is shown alone, so that it tells nothing more.
    """
    found = parts.only([_is_wanted(label, question) for label in parts.labels])
    cells = summed(parents_of(found.cells, resolution), found.records)
    shown = _of(tree[resolution], cells.cells)
    if question.days is None:
        partial = np.full(len(cells.cells), resolution < filtered)
        return HexTable(cells.cells, cells.records, shown, partial=partial)
    shown_parts = _of(summed(parents_of(parts.cells, resolution), parts.records), cells.cells)
    return HexTable(cells.cells, cells.records, partial=shown_parts < shown)


def _of(counts: Counts, cells: Cells) -> Numbers:
    """The records of cells that `counts` holds."""
    return counts.records[np.searchsorted(counts.cells, cells)]


def _is_wanted(label: str | date, question: HexQuery) -> bool:
    """A category by its name; a month by its first day, among days that are whole months."""
    days = question.days
    if days is None or isinstance(label, str):
        return label == question.category
    return label > _NO_TIME and days.holds(label)


_NO_TIME = date.min  # stands for the month of records without a time


def _at(layer: Layer, resolution: int) -> dict[str, str | int]:
    span = cells_of_resolution(resolution)
    days = cells_of_resolution(day_resolution(layer, resolution))
    return {
        "layer": layer.id, "resolution": resolution, "first": span.first, "last": span.last,
        "first_of_days": days.first, "last_of_days": days.last,
    }  # fmt: skip


# As bytes: a quarter of a million numbers arrive sooner than in an array.
_COUNTS = """
SELECT string_agg(int8send(cell), ''), string_agg(int8send(count), '')
FROM {counts} AS counts
WHERE layer_id = :layer AND resolution = :resolution AND cell BETWEEN :first AND :last
"""
_CATEGORIES = """
SELECT array_agg(cell ORDER BY cell, category), array_agg(category ORDER BY cell, category),
       array_agg(records ORDER BY cell, category)
FROM (SELECT cell, category, sum(count)::bigint AS records FROM {counts} AS counts
      WHERE layer_id = :layer AND resolution = :resolution AND cell BETWEEN :first AND :last
      GROUP BY 1, 2) AS found
"""
# Records without a time are in no month; they are a part of their cell all the same.
_MONTHS = """
SELECT array_agg(cell ORDER BY cell, month), array_agg(month ORDER BY cell, month),
       array_agg(records ORDER BY cell, month)
FROM (SELECT gis.h3_parent(cell, :resolution) AS cell,
             CASE WHEN day = '-infinity' THEN '0001-01-01' ELSE date_trunc('month', day)::date END
               AS month,
             sum(count) AS records
      FROM {counts} AS counts
      WHERE layer_id = :layer AND cell BETWEEN :first_of_days AND :last_of_days
      GROUP BY 1, 2) AS found
"""
_PARTS = {PartKind.CATEGORIES: _CATEGORIES, PartKind.MONTHS: _MONTHS}
