"""Statistics of a collection: count, extent in space and time; cached for the layer's state."""

from dataclasses import dataclass
from datetime import datetime, time

from cachetools import LRUCache
from sqlalchemy import Connection, func, select

from gis.clock import HERE
from layers.items import Count, ItemSource
from layers.items.counting import count_all
from tiles.state import LayerState

_MOST = 2_000  # results of processes come and go
_MIDNIGHT = time(tzinfo=HERE)


@dataclass(frozen=True, slots=True)
class CollectionStats:
    """`bbox` west, south, east, north in degrees; None where no row has a place (or a time)."""

    count: Count
    bbox: tuple[float, float, float, float] | None
    start: datetime | None
    end: datetime | None


class StatsCache:
    """One entry a layer, replaced when its state changes."""

    def __init__(self) -> None:
        self._known: LRUCache[str, tuple[LayerState, CollectionStats]] = LRUCache(_MOST)

    def of(self, connection: Connection, source: ItemSource, state: LayerState) -> CollectionStats:
        known = self._known.get(source.layer.id)
        if known is not None and known[0] == state:
            return known[1]
        facts = _facts(connection, source)
        self._known[source.layer.id] = (state, facts)
        return facts


def _facts(connection: Connection, source: ItemSource) -> CollectionStats:
    start, end = _interval(connection, source)
    return CollectionStats(count_all(connection, source), _bbox(connection, source), start, end)


def _bbox(connection: Connection, source: ItemSource) -> tuple[float, float, float, float] | None:
    if source.geometry is None:
        return None
    box = select(func.ST_Extent(source.geometry).label("box")).select_from(source.table).subquery()
    west, south = func.ST_XMin(box.c.box), func.ST_YMin(box.c.box)
    east, north = func.ST_XMax(box.c.box), func.ST_YMax(box.c.box)
    row = connection.execute(select(west, south, east, north)).one()
    return None if row[0] is None else (row[0], row[1], row[2], row[3])


def _interval(
    connection: Connection, source: ItemSource
) -> tuple[datetime | None, datetime | None]:
    if source.time is None:
        return None, None
    instant = source.time.sql
    if source.end is not None:
        day = connection.scalar(select(func.min(instant)).select_from(source.table))
        return (None if day is None else datetime.combine(day, _MIDNIGHT)), None
    row = connection.execute(
        select(func.min(instant), func.max(instant)).select_from(source.table)
    ).one()
    return row[0], row[1]
