"""Invalidation: the boxes that changed between two versions of a layer, whose tiles alone are lost.

The triggers of layers' tables write each change's boxes to gis.changed_area. A tile that was made
of an older version is still true when every version since has logged its boxes, and none meets the
tile.
"""

import threading
from collections.abc import Callable

from sqlalchemy import Connection, text

from gis.values import BBox

MOST_VERSIONS = 1000  # as many as the log in the database holds

type Boxes = tuple[BBox, ...] | None  # None: it may have touched anything


class TouchedTiles:
    """The changes of layers, as far as they were read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[int, Boxes]] = {}

    def untouched(self, layer_id: str, since: int, until: int, box: BBox) -> bool:
        """True where certainly no change after version `since`, up to `until`, meets the box.

        Versions too far apart, in the wrong order or not learned are taken as touched.
        """
        if not 0 <= until - since <= MOST_VERSIONS:
            return False
        known = self._known.get(layer_id, {})
        versions = (known.get(version) for version in range(until, since, -1))
        return all(
            boxes is not None and not any(_meet(changed, box) for changed in boxes)
            for boxes in versions
        )

    def knows(self, layer_id: str, since: int, until: int) -> bool:
        """True where `learn` would add nothing."""
        if not 0 <= until - since <= MOST_VERSIONS:
            return True
        known = self._known.get(layer_id, {})
        return all(version in known for version in range(until, since, -1))

    def learn(
        self,
        connection: Connection,
        layer_id: str,
        since: int,
        until: int,
        reach: Callable[[BBox], BBox] = lambda box: box,
    ) -> None:
        """Read what happened after version `since`, up to `until`, which `connection` must see.

        `reach` gives how far a change to what lies in a box is seen.
        """
        touched: dict[int, list[BBox]] = {}
        for row in connection.execute(_TOUCHED, {"id": layer_id, "since": since, "until": until}):
            boxes = touched.setdefault(row.version, [])
            if row.west is not None:
                boxes.append(reach(BBox(row.west, row.south, row.east, row.north)))
        fresh = {
            version: tuple(touched[version]) if version in touched else None
            for version in range(since + 1, until + 1)
        }
        with self._lock:
            merged = self._known.get(layer_id, {}) | fresh
            latest = sorted(merged)[-2 * MOST_VERSIONS :]
            self._known[layer_id] = {version: merged[version] for version in latest}


_TOUCHED = text(
    "SELECT version, west, south, east, north FROM gis.changed_area"
    " WHERE layer_id = :id AND version > :since AND version <= :until"
)


def _meet(one: BBox, other: BBox) -> bool:
    return (
        one.west <= other.east
        and other.west <= one.east
        and one.south <= other.north
        and other.south <= one.north
    )
