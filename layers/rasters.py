"""Raster layers as they are published, with their rasters: what is served."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.access import Principal, may_read
from gis.database.engine import Database
from gis.errors import NotFound
from gis.rasters.raster import RasterStack, StoredRaster
from gis.rasters.store import stored_stack
from gis.values import BBox, TimeSpan
from layers.definition.raster import RasterLayer
from layers.items.literals import day_of, span_of

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class RasterSource:
    """A published raster layer and its rasters of one version; None: it has none yet.

    `changed_at`: when its file or its rasters last changed.
    """

    layer: RasterLayer
    version: int
    stack: RasterStack | None
    changed_at: datetime

    def require_stack(self) -> RasterStack:
        """Raises NotFound where the layer has no raster yet."""
        if self.stack is None:
            layer_id = self.layer.id
            raise NotFound(
                f"the layer {layer_id} has no raster yet: add one by `gis rasters add FILE "
                f"{layer_id}`, or simulated ones by `gis rasters demo`"
            )
        return self.stack

    def one(self, span: TimeSpan | None) -> StoredRaster:
        """The newest raster, or the newest that shares time with a span. Raises NotFound."""
        stack = self.require_stack()
        steps = stack.within(span)
        if not steps:
            interval = stack.interval
            assert interval is not None
            raise NotFound(
                f"the layer {self.layer.id} has no step at that time: it has "
                f"{len(stack.rasters)} from {interval.start:%Y-%m-%dT%H:%MZ} to "
                f"{interval.end:%Y-%m-%dT%H:%MZ}"
            )
        return steps[-1]

    def span_asked(self, at: str | None) -> TimeSpan | None:
        """The time of a parameter `datetime`; a date is the layer's own day, such as one of rain.

        Raises BadInput.
        """
        if at is None:
            return None
        if self.layer.time is None:
            span_of(at)  # a wrong one is wrong for each layer
            return None
        if len(at) == len("2024-09-10"):
            try:
                day = self.layer.spec.day_of(day_of(at))
            except (ValueError, OverflowError):
                return span_of(at)  # which says what would be right
            assert day.start is not None and day.end is not None
            return TimeSpan(day.start, day.end - _INSTANT)
        return self._interval_asked(at)

    def _interval_asked(self, at: str) -> TimeSpan:
        """The same of an interval: its dates are the layer's own days too."""
        span, (start, _, end) = span_of(at), at.partition("/")
        parts = []
        for part, instant, is_end in ((start, span.start, False), (end, span.end, True)):
            if instant is None or len(part) != len("2024-09-10"):
                parts.append(instant)
                continue
            try:
                day = self.layer.spec.day_of(day_of(part))
            except OverflowError:  # at an end of the calendar
                parts.append(instant)
                continue
            assert day.start is not None and day.end is not None
            parts.append(day.end - _INSTANT if is_end else day.start)
        return TimeSpan(*parts)


def readable_raster(connection: Connection, layer_id: str, principal: Principal) -> RasterSource:
    """A raster layer as it stands in the snapshot of a connection.

    Raises NotFound, in the same words, for a layer that is not there or may not be read.
    """
    row = connection.execute(_PUBLISHED, {"id": layer_id}).one_or_none()
    source = None if row is None else _source_of(connection, layer_id, row)
    if source is None or not may_read(principal, source.layer.access.read, layer_id):
        raise _unknown(layer_id)
    return source


class PublishedRasters:
    """Raster layers in force at the moment of a request.

    What the database says counts, rights included: from the commit on that closes a layer or
    replaces a raster, no process answers by what was before. What was read is kept until its
    version rises.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, RasterSource] = {}

    def get(self, layer_id: str, principal: Principal) -> RasterSource:
        """Raises NotFound, in the same words, for a layer that is not there or may not be read."""
        for row in self._database.ask(_VERSION, {"id": layer_id}):
            source = self._source(layer_id, row[0])
            if may_read(principal, source.layer.access.read, layer_id):
                return source
        raise _unknown(layer_id)

    def readable(self, principal: Principal) -> list[RasterSource]:
        """The raster layers that somebody may read, in the order of their ids."""
        sources = [self._source(*row) for row in self._database.ask(_VERSIONS, {})]
        return [
            source
            for source in sources
            if may_read(principal, source.layer.access.read, source.layer.id)
        ]

    def _source(self, layer_id: str, version: int) -> RasterSource:
        known = self._known.get(layer_id)
        if known is not None and known.version == version:
            return known
        with self._database.snapshot() as connection:
            row = connection.execute(_LAYER, {"id": layer_id}).one()
            source = _source_of(connection, layer_id, row)
        with self._lock:
            self._known[layer_id] = source
        return source


def _source_of(connection: Connection, layer_id: str, row: Row[Any]) -> RasterSource:
    layer = RasterLayer.model_validate(row.definition)
    return RasterSource(layer, row.version, stored_stack(connection, layer_id), row.changed_at)


def _unknown(layer_id: str) -> NotFound:
    return NotFound(f"there is no raster layer {layer_id}, or this key may not read it")


_VERSION = "SELECT version FROM gis.raster_layer WHERE id = %(id)s AND published"
_VERSIONS = "SELECT id, version FROM gis.raster_layer WHERE published ORDER BY id"
_LAYER = text("SELECT definition, version, changed_at FROM gis.raster_layer WHERE id = :id")
_PUBLISHED = text(
    "SELECT definition, version, changed_at FROM gis.raster_layer WHERE id = :id AND published"
)


def province_box(database: Database) -> BBox | None:
    """The box of the communes of today, degrees; None before boundaries were loaded."""
    ((west, south, east, north),) = database.ask(_BOX, {})
    return None if west is None else BBox(west, south, east, north)


_BOX = """
SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box)
FROM (SELECT ST_Extent(geom) AS box FROM layer.communes) AS extent
"""
