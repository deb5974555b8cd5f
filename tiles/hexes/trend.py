"""Trend of the records of one cell: its latest counts, and their rise or fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from sqlalchemy import Connection, text

from gis import analysis
from gis.hexes import descendants, resolution_of
from layers.definition.model import Layer
from tiles.hexes.public import Parts
from tiles.hexes.sources import day_counts_of, day_resolution

STEPS = 12  # of the series: weeks for who works with the layer, months for the public
_DIRECTIONS: dict[int, Literal["rising", "falling", "none"]] = {
    1: "rising",
    -1: "falling",
    0: "none",
}


@dataclass(frozen=True, slots=True)
class Trend:
    """Records of STEPS steps, the oldest first; None: not shown. `first` is the first day.

    `direction` at 5 % and `p` are by Mann–Kendall; None where a step is not shown.
    """

    step: Literal["week", "month"]
    first: date
    counts: tuple[int | None, ...]
    direction: Literal["rising", "falling", "none"] | None
    p: float | None


def weekly_trend(connection: Connection, layer: Layer, cell: int, today: date) -> Trend:
    """By steps of seven days, of which the last ends today."""
    first = today - timedelta(days=7 * STEPS - 1)
    resolution = day_resolution(layer, resolution_of(cell))
    span = descendants(cell, resolution)
    values = {
        "layer": layer.id, "resolution": resolution, "first": first, "last": today,
        "from": span.first, "to": span.last,
    }  # fmt: skip
    counts = [0] * STEPS
    for row in connection.execute(text(_DAYS.format(counts=day_counts_of(layer))), values):
        counts[(row.day - first).days // 7] += row.records
    return _trend("week", first, counts)


def monthly_trend(months: Parts, cell: int, today: date) -> Trend:
    """By calendar months of a cell of the filter resolution, up to the one of today."""
    wanted = [_months_before(today, n) for n in range(STEPS - 1, -1, -1)]
    own = np.flatnonzero(months.cells == cell)
    shown = {months.labels[n]: int(months.records[n]) for n in own}
    return _trend("month", wanted[0], [shown.get(month) for month in wanted])


def _trend(step: Literal["week", "month"], first: date, counts: Sequence[int | None]) -> Trend:
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return Trend(step, first, tuple(counts), None, None)
    found = analysis.mann_kendall(np.asarray([known], dtype=np.float64)).iloc[0]
    return Trend(
        step, first, tuple(counts), _DIRECTIONS[int(found.trend)], round(float(found.p), 4)
    )


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before that of `day`."""
    number = 12 * day.year + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


_DAYS = """
SELECT day, sum(count)::int AS records FROM {counts} AS counts
WHERE layer_id = :layer AND cell BETWEEN :from AND :to AND day BETWEEN :first AND :last
GROUP BY day
"""
