"""Recorded events of a layer by day and hex, against which levels of risk are verified."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from gis.hexes import Cells, parents_of
from gis.values import TimeSpan
from layers.definition.model import Layer
from layers.storage.tables import table_of


def events_by_day(
    connection: Connection, layer: Layer, days: Sequence[TimeSpan], cells: Cells, resolution: int
) -> NDArray[np.bool_]:
    """True where a record with a point and a time lies in a hex on a day; shape (days, cells)."""
    table = table_of(layer)
    order = np.argsort(cells)
    happened = np.zeros((len(days), len(cells)), np.bool_)
    for number, day in enumerate(days):
        found = connection.scalars(
            select(table.c.h3).where(
                table.c.h3.isnot(None), table.c.valid_at >= day.start, table.c.valid_at < day.end
            )
        ).all()
        hexes = parents_of(np.array(found, np.int64), resolution)
        place = np.minimum(np.searchsorted(cells[order], hexes), len(cells) - 1)
        known = cells[order][place] == hexes
        happened[number, order[place[known]]] = True
    return happened
